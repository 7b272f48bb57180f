internal import MigrationCore
internal import MigrationPorts
internal import Synchronization

/// A store whose calls are measured.
final class MeasuredStore: JobStore {
    private let store: any JobStore
    private let clock: any HostClock
    private let metrics: EngineMetrics

    init(_ store: any JobStore, clock: any HostClock, metrics: EngineMetrics) {
        self.store = store
        self.clock = clock
        self.metrics = metrics
    }

    func apply(_ change: StoreChange, _ durability: Durability) throws(Problem) {
        let startedAt = clock.monotonicNanoseconds()
        do throws(Problem) {
            try store.apply(change, durability)
        } catch {
            // A decision that lost against the other one is no failure of the store.
            if error.code == .storeFailed { metrics.storeFailures.of("write").add() }
            throw error
        }
        let name =
            switch durability {
            case .process: "process"
            case .machine: "machine"
            }
        metrics.storeWrites.of(name)
            .observe(nanoseconds: clock.monotonicNanoseconds() - startedAt)
    }

    func checkpoint() throws(Problem) {
        try counting("checkpoint") { () throws(Problem) in try store.checkpoint() }
        let now = clock.timestamp().millisecondsSinceEpoch
        metrics.lastCheckpoint.store(now, ordering: .relaxed)
    }

    func job(_ id: JobID) throws(Problem) -> Job? {
        try counting("read") { () throws(Problem) in try store.job(id) }
    }

    func jobs(_ walk: JobWalk, where isWanted: (Job) -> Bool) throws(Problem) -> JobStretch {
        try counting("read") { () throws(Problem) in try store.jobs(walk, where: isWanted) }
    }

    func unfinishedJobs() throws(Problem) -> [Job] {
        try counting("read") { () throws(Problem) in try store.unfinishedJobs() }
    }

    func unresolvedJobs() throws(Problem) -> [Job] {
        try counting("read") { () throws(Problem) in try store.unresolvedJobs() }
    }

    func journal(
        of job: JobID,
        after sequence: Int64,
        limit: Int
    ) throws(Problem) -> [StoredJournalEntry] {
        try counting("read") { () throws(Problem) in
            try store.journal(of: job, after: sequence, limit: limit)
        }
    }

    func events(after sequence: Int64, limit: Int) throws(Problem) -> [StoredEvent] {
        try counting("read") { () throws(Problem) in
            try store.events(after: sequence, limit: limit)
        }
    }

    func eventSpan() throws(Problem) -> EventSpan {
        try counting("read") { () throws(Problem) in try store.eventSpan() }
    }

    var storeID: String { store.storeID }

    func answer(to request: KeyedRequest.Name) throws(Problem) -> KeptAnswer? {
        try counting("read") { () throws(Problem) in try store.answer(to: request) }
    }

    func answerCount() throws(Problem) -> Int {
        try counting("read") { () throws(Problem) in try store.answerCount() }
    }

    func audit(
        from place: AuditPlace?,
        newestFirst: Bool,
        limit: Int
    ) throws(Problem) -> [StoredAuditRecord] {
        try counting("read") { () throws(Problem) in
            try store.audit(from: place, newestFirst: newestFirst, limit: limit)
        }
    }

    func auditRecord(_ id: AuditID) throws(Problem) -> AuditRecord? {
        try counting("read") { () throws(Problem) in try store.auditRecord(id) }
    }

    func unfinishedAudit() throws(Problem) -> [AuditRecord] {
        try counting("read") { () throws(Problem) in try store.unfinishedAudit() }
    }

    func age() throws(Problem) -> StoreAge {
        try counting("read") { () throws(Problem) in try store.age() }
    }

    func forget(_ retention: Retention, at age: StoreAge) throws(Problem) -> Forgotten {
        try counting("forget") { () throws(Problem) in try store.forget(retention, at: age) }
    }

    func sessions() throws(Problem) -> [SessionRecord] {
        try counting("read") { () throws(Problem) in try store.sessions() }
    }

    func images() throws(Problem) -> [ImageRecord] {
        try counting("read") { () throws(Problem) in try store.images() }
    }

    func setDurations() throws(Problem) -> [SetDuration] {
        try counting("read") { () throws(Problem) in try store.setDurations() }
    }

    func sizes() -> StoreSizes { store.sizes() }

    private func counting<Result>(
        _ operation: String,
        _ call: () throws(Problem) -> Result
    ) throws(Problem) -> Result {
        do throws(Problem) {
            return try call()
        } catch {
            if error.code == .storeFailed { metrics.storeFailures.of(operation).add() }
            throw error
        }
    }
}
