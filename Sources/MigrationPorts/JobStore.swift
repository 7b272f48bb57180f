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

    func sessions() throws(Problem) -> [SessionRecord]
    func images() throws(Problem) -> [ImageRecord]

    /// What was learned of how long SETs take.
    func setDurations() throws(Problem) -> [SetDuration]
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
