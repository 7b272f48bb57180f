internal import Dispatch
internal import MigrationCore
internal import Synchronization

/// Where the blocking part of a request runs: a few serial queues without a target, and a bound on
/// what waits before them.
///
/// What waits is given to whichever queue is free first, so that nothing waits behind a call that
/// hangs while another queue has nothing to do.
final class CommandPool: Sendable {
    typealias Work = @Sendable () -> Void

    private enum Answer {
        case begin(Int)
        case wait
        case refuse
    }

    private struct State {
        var idle: [Int]
        /// In the order it came.
        var waiting: [Work] = []
    }

    private let queues: [DispatchQueue]
    private let pendingLimit: Int
    /// Guards which queues are idle and what waits for one.
    ///
    /// A leaf: nothing is called while it is held.
    private let state: Mutex<State>

    init(queueCount: Int, pendingLimit: Int) {
        self.queues = (0..<queueCount).map { DispatchQueue(label: "ferry.command.\($0)") }
        self.pendingLimit = pendingLimit
        self.state = Mutex(State(idle: Array((0..<queueCount).reversed())))
    }

    /// How many queues work, and how much waits for one.
    var load: (busy: Int, pending: Int) {
        state.withLock { (queues.count - $0.idle.count, $0.waiting.count) }
    }

    /// Runs work on a queue that is free, now or when there is one.
    func perform(_ work: @escaping Work) throws(Problem) {
        let answer: Answer = state.withLock { state in
            if let index = state.idle.popLast() { return .begin(index) }
            guard state.waiting.count < pendingLimit else { return .refuse }
            state.waiting.append(work)
            return .wait
        }
        switch answer {
        case .begin(let index): run(work, on: index)
        case .wait: return
        case .refuse:
            var facts = Problem.Facts()
            facts.retryAfterSeconds = 1
            throw Problem(
                .overloaded,
                "\(pendingLimit) requests wait for the host already.",
                facts
            )
        }
    }

    private func run(_ work: @escaping Work, on index: Int) {
        queues[index].async {
            work()
            if let next = self.next(for: index) { self.run(next, on: index) }
        }
    }

    /// What the queue does next; without anything it is idle.
    private func next(for index: Int) -> Work? {
        state.withLock { state in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.idle.append(index)
            return nil
        }
    }
}
