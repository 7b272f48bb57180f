package import MigrationCore

/// A job as a reader sees it: the durable record with what is sampled in memory.
///
/// A class, so that readers of a job that does not change share one: a job has many parts to copy.
package final class JobView: Equatable, Sendable {
    package let job: Job
    /// Nil before the transfer began and after a restart of the daemon.
    package let progress: JobProgress?
    /// A SET that has not returned for more than 10 s.
    package let stuckIn: StuckArc?
    /// Why the switchover has not come yet: `SwitchoverDecision.blockedBy`.
    package let switchoverBlockedBy: [String]
    /// Whether a cancel would be accepted now.
    package let isCancellable: Bool

    package init(
        job: Job,
        progress: JobProgress?,
        stuckIn: StuckArc?,
        switchoverBlockedBy: [String],
        isCancellable: Bool
    ) {
        self.job = job
        self.progress = progress
        self.stuckIn = stuckIn
        self.switchoverBlockedBy = switchoverBlockedBy
        self.isCancellable = isCancellable
    }

    package static func == (one: JobView, other: JobView) -> Bool {
        one === other
            || (one.job == other.job && one.progress == other.progress
                && one.stuckIn == other.stuckIn
                && one.switchoverBlockedBy == other.switchoverBlockedBy
                && one.isCancellable == other.isCancellable)
    }
}

/// How far a transfer is.
///
/// Sampled, never durable.
package struct JobProgress: Hashable, Sendable {
    package var sentByteCount: UInt64 = 0
    package var remainingByteCount: UInt64 = 0
    package var bytesPerSecond: UInt64 = 0
    package var iterations: UInt64 = 0
    package var expectedDowntimeNanoseconds: UInt64?
    /// The part of it that SETs take, as earlier jobs of these drivers measured; nil when none did.
    package var setNanoseconds: UInt64?

    package init() {}
}

/// An arc the device has not finished.
package struct StuckArc: Hashable, Sendable {
    package let device: DeviceID
    package let from: DeviceState?
    package let to: DeviceState
    package let nanoseconds: UInt64

    package init(device: DeviceID, from: DeviceState?, to: DeviceState, nanoseconds: UInt64) {
        self.device = device
        self.from = from
        self.to = to
        self.nanoseconds = nanoseconds
    }
}

/// A device as a reader sees it.
package struct DeviceView: Hashable, Sendable {
    package let record: DeviceRecord
    private let sharedSession: Shared<SessionRecord>?
    /// The job that has the device to itself.
    package let lockedBy: JobID?
    /// The last state Ferry read from the device itself.
    package let lastState: ReportedState?
    /// Other processes that have the device open; nil where nobody looked.
    package var holders: [Problem.Holder]?

    package init(
        record: DeviceRecord,
        session: SessionRecord?,
        lockedBy: JobID?,
        lastState: ReportedState?
    ) {
        self.init(
            record: record,
            shared: session.map(Shared.init),
            lockedBy: lockedBy,
            lastState: lastState
        )
    }

    init(
        record: DeviceRecord,
        shared: Shared<SessionRecord>?,
        lockedBy: JobID?,
        lastState: ReportedState?
    ) {
        self.record = record
        self.sharedSession = shared
        self.lockedBy = lockedBy
        self.lastState = lastState
    }

    /// The open session, if there is one.
    package var session: SessionRecord? { sharedSession?.value }
}

/// The host and the daemon on it.
package struct HostView: Sendable {
    package let hostname: String
    package let kernelRelease: String
    package let machine: String
    package let version: String
    package let startedAt: Timestamp
    package let workerCount: Int
    package let workersBusy: Int

    package init(
        hostname: String,
        kernelRelease: String,
        machine: String,
        version: String,
        startedAt: Timestamp,
        workerCount: Int,
        workersBusy: Int
    ) {
        self.hostname = hostname
        self.kernelRelease = kernelRelease
        self.machine = machine
        self.version = version
        self.startedAt = startedAt
        self.workerCount = workerCount
        self.workersBusy = workersBusy
    }
}

/// Whether the daemon can take work: each check with nil for fine, or what is wrong.
package struct Readiness: Sendable {
    package let checks: [(name: String, failure: String?)]

    package init(checks: [(name: String, failure: String?)]) { self.checks = checks }

    package var isReady: Bool { checks.allSatisfy { $0.failure == nil } }
}
