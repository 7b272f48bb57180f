internal import Dispatch
internal import Synchronization

/// The threads that jobs block: N serial queues without a target, leased one at a time.
///
/// Concurrent queues, and serial ones that target one, starve on Linux while their work blocks
/// (docs/decisions/0004). A job leases one worker for each of its devices when it is admitted, so
/// a stuck ioctl blocks nobody else.
final class WorkerPool: Sendable {
    /// A job's hold on a worker, from admission to its end.
    struct Lease: Sendable {
        fileprivate let index: Int
        let queue: DispatchQueue
    }

    private struct State {
        var free: [Int]
        /// Who waits for a worker, in the order they came.
        var waiting: [@Sendable (Lease) -> Void] = []
    }

    let workerCount: Int
    private let queues: [DispatchQueue]
    private let waitingLimit: Int
    /// Guards who has which worker.
    ///
    /// A leaf: nothing is called while it is held.
    private let state: Mutex<State>

    init(workerCount: Int, waitingLimit: Int) {
        self.workerCount = workerCount
        self.waitingLimit = waitingLimit
        self.queues = (0..<workerCount).map { DispatchQueue(label: "ferry.worker.\($0)") }
        self.state = Mutex(State(free: Array((0..<workerCount).reversed())))
    }

    var busyCount: Int { state.withLock { workerCount - $0.free.count } }

    /// Calls `granted` with a worker, now or when one is free.
    ///
    /// False when too many wait already.
    func lease(_ granted: @escaping @Sendable (Lease) -> Void) -> Bool {
        enum Answer {
            case now(Int)
            case later
            case full
        }
        let answer: Answer = state.withLock { state in
            if let index = state.free.popLast() { return .now(index) }
            guard state.waiting.count < waitingLimit else { return .full }
            state.waiting.append(granted)
            return .later
        }
        if case .now(let index) = answer { granted(lease(of: index)) }
        if case .full = answer { return false }
        return true
    }

    /// Gives a worker back; the one who waits longest has it next.
    func release(_ lease: Lease) {
        let next: (@Sendable (Lease) -> Void)? = state.withLock { state in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.free.append(lease.index)
            return nil
        }
        next?(lease)
    }

    private func lease(of index: Int) -> Lease { Lease(index: index, queue: queues[index]) }
}
