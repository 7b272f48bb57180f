package import MigrationCore

/// Where jobs, journals, sessions, images and events survive.
///
/// One writer; reads from any thread.
package protocol JobStore: Sendable {
    /// Applies the whole change in one transaction, or nothing of it.
    ///
    /// Of a job's commit and its abort the first one that is on the disk stands: a change with the
    /// other one is refused with `job-committed`, respectively `cancelled`.
    func apply(_ change: StoreChange, _ durability: Durability) throws(Problem)

    func job(_ id: JobID) throws(Problem) -> Job?

    /// The jobs of one stretch of a walk that `isWanted` says yes to; it is asked once for each, in
    /// order.
    func jobs(_ walk: JobWalk, where isWanted: (Job) -> Bool) throws(Problem) -> JobStretch

    /// Tidies up behind the writes: for a moment when nothing waits for the store.
    func checkpoint() throws(Problem)

    /// Every job that is in no terminal state: what recovery has to settle.
    func unfinishedJobs() throws(Problem) -> [Job]

    /// Every job that ended indeterminate and was not resolved.
    func unresolvedJobs() throws(Problem) -> [Job]

    /// Lines of a job's journal in order, after the line with this sequence number.
    func journal(
        of job: JobID,
        after sequence: Int64,
        limit: Int
    ) throws(Problem) -> [StoredJournalEntry]

    /// Events in order, after the one with this sequence number.
    ///
    /// They get their numbers in the order they are committed, without gaps.
    func events(after sequence: Int64, limit: Int) throws(Problem) -> [StoredEvent]

    func eventSpan() throws(Problem) -> EventSpan

    /// What tells the events of this store from those of one made anew.
    var storeID: String { get }

    func sessions() throws(Problem) -> [SessionRecord]
    func images() throws(Problem) -> [ImageRecord]

    /// What was learned of how long SETs take.
    func setDurations() throws(Problem) -> [SetDuration]

    /// How large it is on the disk.
    ///
    /// Waits for no writer.
    func sizes() -> StoreSizes

    /// The answer that is kept for a keyed request, however old it is.
    func answer(to request: KeyedRequest.Name) throws(Problem) -> KeptAnswer?

    /// How many answers to keyed requests are kept.
    func answerCount() throws(Problem) -> Int

    /// Records of the audit behind a place, in the order they came in or from the newest back.
    func audit(
        from place: AuditPlace?,
        newestFirst: Bool,
        limit: Int
    ) throws(Problem) -> [StoredAuditRecord]

    func auditRecord(_ id: AuditID) throws(Problem) -> AuditRecord?

    /// Every record without an outcome: what a daemon died in.
    func unfinishedAudit() throws(Problem) -> [AuditRecord]

    /// How old the store was when that was written down last.
    func age() throws(Problem) -> StoreAge

    /// Writes the store's age down and forgets a few of the records that are past keeping.
    ///
    /// A job, a session or a record of the audit counts from the first call that finds it ended. Unfinished jobs, and those
    /// that are indeterminate, are never forgotten.
    func forget(_ retention: Retention, at age: StoreAge) throws(Problem) -> Forgotten
}

/// How large a store's files are; 0 for one that is not there.
package struct StoreSizes: Hashable, Sendable {
    package let databaseByteCount: UInt64
    package let logByteCount: UInt64

    package init(databaseByteCount: UInt64, logByteCount: UInt64) {
        self.databaseByteCount = databaseByteCount
        self.logByteCount = logByteCount
    }
}

/// What must be true after a write.
package enum Durability: Sendable {
    /// It survives the death of the process.
    case process
    /// It survives the death of the machine: fsynced.
    case machine
}

/// A set of writes that belong together.
package struct StoreChange: Sendable {
    package var jobs: [Job]
    package var journal: [JournalLine]
    package var sessions: [SessionRecord]
    package var savedImages: [ImageRecord]
    package var deletedImages: [ImageID]
    package var events: [Event]
    package var setDurations: [SetDuration]
    /// Jobs that go with their journals.
    package var deletedJobs: [JobID] = []
    /// Answers to keyed requests; each key has one.
    package var keptAnswers: [KeptAnswer] = []
    /// Keyed requests whose answers go, because nothing came of them or they are too old.
    package var forgottenAnswers: [KeyedRequest.Name] = []
    /// Records of the audit, each in the place of what there was of it.
    package var audit: [AuditRecord] = []

    package init(
        jobs: [Job] = [],
        journal: [JournalLine] = [],
        sessions: [SessionRecord] = [],
        savedImages: [ImageRecord] = [],
        deletedImages: [ImageID] = [],
        events: [Event] = [],
        setDurations: [SetDuration] = []
    ) {
        self.jobs = jobs
        self.journal = journal
        self.sessions = sessions
        self.savedImages = savedImages
        self.deletedImages = deletedImages
        self.events = events
        self.setDurations = setDurations
    }

    /// A journal entry and the job it belongs to.
    package struct JournalLine: Hashable, Sendable {
        package let job: JobID
        package let entry: JournalEntry

        package init(job: JobID, entry: JournalEntry) {
            self.job = job
            self.entry = entry
        }
    }
}
