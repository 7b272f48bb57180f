internal import Dispatch
internal import MigrationCore
internal import Synchronization

/// The threads that jobs block: N serial queues without a target, leased one at a time.
///
/// Concurrent queues, and serial ones that target one, starve on Linux while their work blocks
/// (docs/decisions/0004). A job has a worker to itself until it ends, so a stuck ioctl blocks nobody
/// else.
final class WorkerPool: Sendable {
    /// A job's hold on a worker, from its first step to its end.
    struct Lease: Sendable {
        fileprivate let index: Int
        let queue: DispatchQueue
    }

    /// Told once: with a worker, or with nil when the job was withdrawn before it had one.
    typealias Answer = @Sendable (Lease?) -> Void

    private struct State {
        var free: [Int]
        /// Who waits for a worker, in the order they came.
        var waiting: [(job: JobID, answer: Answer)] = []
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

    /// Gives back a place that came to nothing.
    func giveBackPlace() { state.withLock { $0.placesTaken -= 1 } }

    /// Turns a reserved place into a worker, now or when one is free.
    func lease(for job: JobID, _ answer: @escaping Answer) {
        let index: Int? = state.withLock { state in
            if let index = state.free.popLast() { return index }
            state.waiting.append((job, answer))
            return nil
        }
        if let index { answer(lease(of: index)) }
    }

    /// Ends a job's wait for a worker; false when it does not wait.
    @discardableResult
    func withdraw(_ job: JobID) -> Bool {
        let answer: Answer? = state.withLock { state in
            guard let index = state.waiting.firstIndex(where: { $0.job == job }) else { return nil }
            state.placesTaken -= 1
            return state.waiting.remove(at: index).answer
        }
        answer?(nil)
        return answer != nil
    }

    /// Gives a worker back; the one who waits longest has it next.
    func release(_ lease: Lease) {
        let next: Answer? = state.withLock { state in
            state.placesTaken -= 1
            guard state.waiting.isEmpty else { return state.waiting.removeFirst().answer }
            state.free.append(lease.index)
            return nil
        }
        next?(lease)
    }

    private func lease(of index: Int) -> Lease { Lease(index: index, queue: queues[index]) }
}
