internal import MigrationCore
internal import Synchronization

/// The jobs in memory: active ones, and the last that ended.
final class JobTable: Sendable {
    private struct State {
        var jobs: [JobID: ActiveJob] = [:]
        /// Oldest first.
        var ended: [JobID] = []
        var active = 0
        var whenIdle: [@Sendable () -> Void] = []
    }

    private let recentLimit: Int
    /// Guards the table.
    ///
    /// A leaf.
    private let state = Mutex(State())

    init(recentLimit: Int) { self.recentLimit = recentLimit }

    func job(_ id: JobID) -> ActiveJob? { state.withLock { $0.jobs[id] } }

    var active: [ActiveJob] {
        state.withLock { Array($0.jobs.values) }.filter { !$0.job.state.isTerminal }
    }

    /// False when a job of this id is here already.
    func insert(_ job: ActiveJob) -> Bool {
        state.withLock { state in
            guard state.jobs[job.id] == nil else { return false }
            state.jobs[job.id] = job
            state.active += 1
            return true
        }
    }

    /// Takes back an insertion whose job never began.
    func remove(_ id: JobID) {
        let idle = state.withLock { state in
            state.jobs[id] = nil
            return Self.ended(&state)
        }
        for call in idle { call() }
    }

    /// Takes an ended job off the table: it is about to go on, or is changed in the store alone.
    func forget(_ id: JobID) {
        state.withLock { state in
            guard let index = state.ended.firstIndex(of: id) else { return }
            state.ended.remove(at: index)
            state.jobs[id] = nil
        }
    }

    func didEnd(_ id: JobID) {
        let idle = state.withLock { state in
            state.ended.append(id)
            if state.ended.count > recentLimit {
                state.jobs[state.ended.removeFirst()] = nil
            }
            return Self.ended(&state)
        }
        for call in idle { call() }
    }

    /// Calls back once when no job is active, which may be now.
    func whenIdle(_ call: @escaping @Sendable () -> Void) {
        let isIdle = state.withLock { state in
            guard state.active > 0 else { return true }
            state.whenIdle.append(call)
            return false
        }
        if isIdle { call() }
    }

    private static func ended(_ state: inout State) -> [@Sendable () -> Void] {
        state.active -= 1
        guard state.active == 0 else { return [] }
        defer { state.whenIdle = [] }
        return state.whenIdle
    }
}
