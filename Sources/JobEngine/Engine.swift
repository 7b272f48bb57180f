package import MigrationCore
package import MigrationPorts

/// The daemon's work, behind one door.
///
/// Calls marked *blocking* do ioctls, fsyncs or cold reads and belong on ``perform(_:)``; the
/// others read memory and may run on an HTTP thread.
package final class Engine: Sendable {
    /// Runs blocking work on a small pool; throws `overloaded` when its queue is full.
    package func perform(_ work: @escaping @Sendable () -> Void) throws(Problem) {
        preconditionFailure("being built")
    }

    package func host() -> HostView { preconditionFailure("being built") }
    package func readiness() -> Readiness { preconditionFailure("being built") }

    /// Every device of every backend, sorted by id.
    ///
    /// Blocking.
    package func devices() -> [DeviceView] { preconditionFailure("being built") }
    /// Blocking.
    ///
    /// Throws `not-found`.
    package func device(_ id: DeviceID) throws(Problem) -> DeviceView {
        preconditionFailure("being built")
    }
    /// Asks an idle device for its migration support.
    ///
    /// Blocking.
    package func probe(_ id: DeviceID) throws(Problem) -> DeviceView {
        preconditionFailure("being built")
    }

    /// Open and past sessions, newest first.
    package func sessions() -> [SessionRecord] { preconditionFailure("being built") }
    package func session(_ id: SessionID) throws(Problem) -> SessionRecord {
        preconditionFailure("being built")
    }
    /// Opens and binds a device, in the address space of another session when `joining` names one.
    ///
    /// Blocking.
    package func openSession(
        device: DeviceID,
        joining companion: SessionID?
    ) throws(Problem) -> SessionRecord {
        preconditionFailure("being built")
    }
    /// Closes a session; with content only when `discardContent` says so.
    ///
    /// Blocking.
    package func closeSession(
        _ id: SessionID,
        discardContent: Bool
    ) throws(Problem) -> SessionRecord {
        preconditionFailure("being built")
    }

    /// Checks, locks the devices, stores and starts a job.
    ///
    /// Blocking.
    package func submit(_ spec: JobSpec, requestedBy: String) throws(Problem) -> JobView {
        preconditionFailure("being built")
    }
    /// An active job from memory or a past one from the store.
    ///
    /// Blocking.
    package func job(_ id: JobID) throws(Problem) -> JobView { preconditionFailure("being built") }
    /// An active or recently finished job from memory; nil when only the store may know it.
    package func recentJob(_ id: JobID) -> JobView? { preconditionFailure("being built") }
    /// Newest first; `before` is the last id of the page before.
    ///
    /// Blocking.
    package func jobs(before: JobID?, limit: Int) throws(Problem) -> [JobView] {
        preconditionFailure("being built")
    }
    /// Blocking.
    ///
    /// Throws `job-committed` after the commit, `job-finished` after the end.
    package func cancel(_ id: JobID) throws(Problem) -> JobView {
        preconditionFailure("being built")
    }
    /// Opens the gate of a job in pre-copy.
    ///
    /// Blocking. Throws `not-awaiting-switchover`.
    package func switchOver(_ id: JobID) throws(Problem) -> JobView {
        preconditionFailure("being built")
    }
    /// Blocking.
    package func journal(
        of id: JobID,
        after sequence: Int64,
        limit: Int
    ) throws(Problem) -> [StoredJournalEntry] {
        preconditionFailure("being built")
    }
    /// Calls `reply` once: at once when the job's generation is past `generation` or the job is not
    /// in memory, else when it advances or after `seconds`.
    ///
    /// Never blocks.
    package func awaitChange(
        of id: JobID,
        after generation: UInt64,
        seconds: Int,
        reply: @escaping @Sendable () -> Void
    ) {
        preconditionFailure("being built")
    }

    package func images() -> [ImageRecord] { preconditionFailure("being built") }
    package func image(_ id: ImageID) throws(Problem) -> ImageRecord {
        preconditionFailure("being built")
    }
    /// Blocking.
    ///
    /// Throws `image-busy` while a job uses it.
    package func deleteImage(_ id: ImageID) throws(Problem) { preconditionFailure("being built") }
}
