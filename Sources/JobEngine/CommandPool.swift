internal import Dispatch
internal import MigrationCore
internal import Synchronization

/// Where the blocking part of a request runs: a few serial queues without a target, and a bound on
/// what waits before them.
final class CommandPool: Sendable {
    private let queues: [DispatchQueue]
    private let pendingLimit: Int
    /// Guards how much each queue has to do.
    ///
    /// A leaf.
    private let pending: Mutex<[Int]>

    init(queueCount: Int, pendingLimit: Int) {
        self.queues = (0..<queueCount).map { DispatchQueue(label: "ferry.command.\($0)") }
        self.pendingLimit = pendingLimit
        self.pending = Mutex(Array(repeating: 0, count: queueCount))
    }

    /// Runs work on the queue that has least to do.
    func perform(_ work: @escaping @Sendable () -> Void) throws(Problem) {
        let chosen: Int? = pending.withLock { pending in
            guard pending.reduce(0, +) < pendingLimit else { return nil }
            let index = pending.indices.min { pending[$0] < pending[$1] } ?? 0
            pending[index] += 1
            return index
        }
        guard let chosen else {
            var facts = Problem.Facts()
            facts.retryAfterSeconds = 1
            throw Problem(
                .overloaded,
                "\(pendingLimit) requests wait for the host already.",
                facts
            )
        }
        queues[chosen].async {
            work()
            self.pending.withLock { $0[chosen] -= 1 }
        }
    }
}
