package import MigrationCore

/// What of the past a store keeps, and for how long.
package struct Retention: Hashable, Sendable {
    /// How long after its end a job stays, with its journal, and an ended session.
    package var seconds: Int64
    /// Most jobs that have ended; the oldest ends go first.
    package var jobLimit: Int
    /// Most sessions that have ended.
    package var sessionLimit: Int
    /// How long a record of the audit stays after its outcome.
    package var auditSeconds: Int64
    /// Most records of the audit that have an outcome.
    package var auditLimit: Int
    /// How long the answer to a keyed request stays.
    package var answerSeconds: Int64
    /// Jobs that stay whatever their age: something that is there still refers to them.
    package var needed: Set<JobID>
    /// Most records of a kind that are forgotten in one transaction.
    package var batchLimit: Int

    package init(
        seconds: Int64,
        jobLimit: Int,
        sessionLimit: Int,
        auditSeconds: Int64,
        auditLimit: Int,
        answerSeconds: Int64,
        needed: Set<JobID> = [],
        batchLimit: Int = 64
    ) {
        self.seconds = seconds
        self.jobLimit = jobLimit
        self.sessionLimit = sessionLimit
        self.auditSeconds = auditSeconds
        self.auditLimit = auditLimit
        self.answerSeconds = answerSeconds
        self.needed = needed
        self.batchLimit = batchLimit
    }
}

/// What a store forgot.
package struct Forgotten: Hashable, Sendable {
    package var jobs: [JobID] = []
    package var sessions: [SessionID] = []
    /// How many answers to keyed requests.
    package var answerCount = 0
    /// Whether there is more to forget.
    package var isMoreLeft = false

    package init() {}
}
