internal import Dispatch
internal import MigrationCore
internal import Synchronization

/// The threads that jobs block: N serial queues without a target, leased one for each device.
///
/// Concurrent queues, and serial ones that target one, starve on Linux while their work blocks
/// (docs/decisions/0004). A job has its workers to itself until it ends, so a stuck ioctl blocks
/// nobody else. Those who wait have workers in the order they came, but one that needs few may pass
/// one that needs more than are free.
final class WorkerPool: Sendable {
    /// A job's hold on its workers, from its first step to its end.
    struct Lease: Sendable {
        fileprivate let indices: [Int]
        let crew: Crew
    }

    /// Told once: with workers, or with nil when the job was withdrawn before it had them.
    typealias Answer = @Sendable (Lease?) -> Void

    private struct Waiting: Sendable {
        let job: JobID
        let count: Int
        let isWithdrawable: Bool
        let answer: Answer
    }

    private struct State {
        var free: [Int]
        /// Who waits for a worker, in the order they came.
        var waiting: [Waiting] = []
        /// Places reserved, waiting or working.
        var placesTaken = 0
    }

    let workerCount: Int
    private let queues: [DispatchQueue]
    private let placeCount: Int
    /// Guards who has which worker.
    ///
    /// A leaf: nothing is called while it is held.
    private let state: Mutex<State>

    init(workerCount: Int, waitingLimit: Int) {
        self.workerCount = workerCount
        self.placeCount = workerCount + waitingLimit
        self.queues = (0..<workerCount).map { DispatchQueue(label: "ferry.worker.\($0)") }
        self.state = Mutex(State(free: Array((0..<workerCount).reversed())))
    }

    var waitingCount: Int { state.withLock { $0.waiting.count } }
    var busyCount: Int { state.withLock { workerCount - $0.free.count } }

    /// Takes a place for a job, to work or to wait.
    ///
    /// False when all are taken.
    func reserve() -> Bool {
        state.withLock { state in
            guard state.placesTaken < placeCount else { return false }
            state.placesTaken += 1
            return true
        }
    }

    /// Whether ``reserve()`` would take a place now.
    var hasPlace: Bool { state.withLock { $0.placesTaken < placeCount } }

    /// Whether a job that needs so many workers would wait for them now.
    func isWaitExpected(for count: Int) -> Bool {
        state.withLock { $0.free.count < min(count, workerCount) }
    }

    /// Takes a place whether there is one or not: for a job that was begun before and must end.
    func takePlace() { state.withLock { $0.placesTaken += 1 } }

    /// Gives back a place that came to nothing.
    func giveBackPlace() { state.withLock { $0.placesTaken -= 1 } }

    /// Turns a reserved place into so many workers, now or when they are free.
    ///
    /// There are fewer when the pool has fewer. A job that must run cannot be withdrawn.
    func lease(
        _ wanted: Int,
        for job: JobID,
        isWithdrawable: Bool,
        _ answer: @escaping Answer
    ) {
        let count = min(wanted, workerCount)
        let indices: [Int]? = state.withLock { state in
            if let indices = Self.take(count, &state.free) { return indices }
            state.waiting.append(
                Waiting(
                    job: job,
                    count: count,
                    isWithdrawable: isWithdrawable,
                    answer: answer
                )
            )
            return nil
        }
        if let indices { answer(lease(of: indices)) }
    }

    /// Ends a job's wait for a worker; false when it does not wait.
    @discardableResult
    func withdraw(_ job: JobID) -> Bool {
        let answer: Answer? = state.withLock { state in
            let index = state.waiting.firstIndex { $0.job == job && $0.isWithdrawable }
            guard let index else { return nil }
            state.placesTaken -= 1
            return state.waiting.remove(at: index).answer
        }
        answer?(nil)
        return answer != nil
    }

    /// Gives workers back; those who wait and for whom there are enough now have them next.
    func release(_ lease: Lease) {
        let next: [(answer: Answer, indices: [Int])] = state.withLock { state in
            state.placesTaken -= 1
            state.free += lease.indices.reversed()
            var next: [(answer: Answer, indices: [Int])] = []
            var waiting: [Waiting] = []
            for one in state.waiting {
                if let indices = Self.take(one.count, &state.free) {
                    next.append((one.answer, indices))
                } else {
                    waiting.append(one)
                }
            }
            state.waiting = waiting
            return next
        }
        for (answer, indices) in next { answer(self.lease(of: indices)) }
    }

    private static func take(_ count: Int, _ free: inout [Int]) -> [Int]? {
        guard free.count >= count else { return nil }
        defer { free.removeLast(count) }
        return free.suffix(count).reversed()
    }

    private func lease(of indices: [Int]) -> Lease {
        Lease(indices: indices, crew: Crew(queues: indices.map { queues[$0] }))
    }
}
