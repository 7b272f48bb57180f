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
    /// Jobs of the store that one request for a list looks at; it goes on from there with the next.
    package var jobScanLimit = 2000
    package var version = "0.1.0"

    package init() {}
}
