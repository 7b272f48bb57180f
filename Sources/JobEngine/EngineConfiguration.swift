/// The bounds of an engine.
///
/// Every one is a name of the daemon's configuration.
package struct EngineConfiguration: Hashable, Sendable {
    /// Jobs that run side by side; well below the 255 blocked queues Dispatch allows.
    package var workerCount = 64
    /// Jobs that wait for a worker before more are refused.
    package var queuedJobLimit = 256
    /// Threads for the blocking part of requests.
    package var commandQueueCount = 8
    /// Requests that wait for one of those before more are refused.
    package var pendingCommandLimit = 512
    /// Ended jobs kept in memory beside the store, for long polls and quick reads.
    package var recentJobLimit = 256
    /// How often an abort record is tried to be written, a quarter of a second apart, before a
    /// stopped source stays stopped and the job ends indeterminate.
    package var abortTryLimit = 20
    /// A program that collects a device must confirm within this time, or the collection is undone.
    package var confirmationSeconds = 30
    /// Events kept in memory for those who follow them; who is farther behind reads the store.
    package var eventRingCount = 1024
    /// Events read from the store at a time for somebody who is behind.
    package var eventPageCount = 64
    /// Clients that follow events before more are refused.
    package var eventSubscriberLimit = 2048
    /// After so long without an event those who follow get a sign of life.
    package var eventHeartbeatMilliseconds = 15_000
    /// Events of devices that are written in one transaction when many come or go at once.
    package var deviceEventBatchCount = 1024
    /// Most bytes of an image that is uploaded, as an archive.
    package var imageByteLimit: UInt64 = 1 << 40
    /// Bytes of the images' file system that an upload leaves free.
    package var spareImageByteCount: UInt64 = 256 << 20
    /// Images that come in, those whose upload broke off with them, before more are refused.
    package var uploadLimit = 16
    /// An upload that broke off is removed when nothing has come for so long.
    package var uploadHours = 24
    /// Images that are downloaded at the same time before more are refused.
    package var downloadLimit = 16
    /// Images that are verified on demand at the same time before more are refused.
    package var verificationLimit = 2
    /// Jobs of the store that one request for a list looks at; it goes on from there with the next.
    package var jobScanLimit = 2000
    /// How long a job stays after its end, with its journal, and an ended session.
    package var jobRetentionDays = 30
    /// Most ended jobs that are kept.
    package var retainedJobLimit = 100_000
    /// Most ended sessions that are kept.
    package var retainedSessionLimit = 1000
    /// How long a change stays in the audit.
    package var auditRetentionDays = 365
    /// Most changes that are kept there.
    package var retainedAuditLimit = 100_000
    /// Records of the audit that one request for the list looks at.
    package var auditScanLimit = 2000
    /// How long the answer to an Idempotency-Key is kept.
    package var keptAnswerSeconds: Int64 = 86_400
    /// Most of them that are kept before requests with new keys are refused.
    package var keptAnswerLimit = 100_000
    /// How long somebody who has a device bound, unbound or divided waits for the kernel.
    package var bindTimeoutSeconds = 30
    /// Devices that are changed like that at the same time before more are refused.
    package var changeLimit = 16
    package var version = "0.1.0"

    package init() {}
}
