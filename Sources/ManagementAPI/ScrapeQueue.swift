internal import Dispatch
internal import MigrationCore
internal import Synchronization

/// Where the metrics are read and written down: one answer at a time, for everybody who waits.
///
/// Not where other requests are worked on: when all of those hang, the metrics are what tells.
final class ScrapeQueue: Sendable {
    typealias Reply = @Sendable (APIResponse) -> Void

    private struct State {
        var waiting: [Reply] = []
        var isAtWork = false
    }

    private let queue = DispatchQueue(label: "ferry.scrape")
    private let waitingLimit: Int
    private let read: @Sendable () -> APIResponse
    /// Guards who waits for the next answer.
    ///
    /// A leaf.
    private let state = Mutex(State())

    /// `read` makes an answer, on a thread where it may block.
    init(waitingLimit: Int = 64, read: @escaping @Sendable () -> APIResponse) {
        self.waitingLimit = waitingLimit
        self.read = read
    }

    /// Replies with an answer that is read after this call.
    func ask(_ reply: @escaping Reply) throws(Problem) {
        let (isTaken, begins) = state.withLock { state in
            guard state.waiting.count < waitingLimit else { return (false, false) }
            state.waiting.append(reply)
            defer { state.isAtWork = true }
            return (true, !state.isAtWork)
        }
        guard isTaken else {
            var facts = Problem.Facts()
            facts.retryAfterSeconds = 1
            throw Problem(.overloaded, "\(waitingLimit) requests wait for the metrics.", facts)
        }
        if begins { queue.async { self.work() } }
    }

    private func work() {
        while true {
            let waiting = state.withLock { state in
                defer { state.waiting = [] }
                state.isAtWork = !state.waiting.isEmpty
                return state.waiting
            }
            guard !waiting.isEmpty else { return }
            let answer = read()
            for reply in waiting { reply(answer) }
        }
    }
}
