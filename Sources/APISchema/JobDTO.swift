/// One job, as GET, long polls and every action on it show it.
package struct JobDTO: Hashable, Sendable, Codable {
    package let id: String
    package let kind: String
    /// `queued`, `running`, `cancelling`, `succeeded`, `failed`, `cancelled`, `indeterminate`.
    package var state: String
    package var phase: String?
    /// Advances on every durable change, and only then.
    package var generation: Int64
    package var devices: [JobDeviceDTO]
    /// The image a save made or a restore reads.
    package var image: String?
    /// Of a save: `run` or `stop`.
    package var after: String?
    package var limits: JobLimitsDTO
    package var switchover: SwitchoverDTO
    package var progress: JobProgressDTO?
    /// `source`, `target`, `nobody` or `unknown`.
    package var mayRun: String
    package var phaseTimes: [PhaseTimeDTO]
    package var cancellable: Bool
    package var stuckIn: StuckArcDTO?
    package var warnings: [String]
    /// Why it failed, or what is not known of it.
    package var error: ProblemDTO?
    package var labels: [String: String]
    /// The `traceparent` of the request it was asked for with.
    package var traceparent: String?
    package let requestedBy: String
    package let createdAt: String
    package var startedAt: String?
    package var finishedAt: String?

    package init(
        id: String,
        kind: String,
        state: String,
        generation: Int64,
        limits: JobLimitsDTO,
        switchover: SwitchoverDTO,
        mayRun: String,
        cancellable: Bool,
        requestedBy: String,
        createdAt: String
    ) {
        self.id = id
        self.kind = kind
        self.state = state
        self.generation = generation
        self.devices = []
        self.limits = limits
        self.switchover = switchover
        self.mayRun = mayRun
        self.phaseTimes = []
        self.cancellable = cancellable
        self.warnings = []
        self.labels = [:]
        self.requestedBy = requestedBy
        self.createdAt = createdAt
    }

    /// Whether nothing more will happen to it.
    package var isFinished: Bool {
        ["succeeded", "failed", "cancelled", "indeterminate"].contains(state)
    }
}

/// The bounds a job runs under.
package struct JobLimitsDTO: Hashable, Sendable, Codable {
    /// Caps pre-copy and is lifted at switchover; left out when there is no cap.
    package let bandwidthBytesPerSecond: Int64?
    package let downtimeMs: Int64
    package let completionTimeoutS: Int64
    /// How long pre-copy may come no nearer to its end; left out when it may as long as it takes.
    package let progressTimeoutS: Int64?
    /// What passing a limit in time does: `cancel`, `switch` or `continue`.
    package let onTimeout: String

    package init(
        bandwidthBytesPerSecond: Int64?,
        downtimeMs: Int64,
        completionTimeoutS: Int64,
        progressTimeoutS: Int64?,
        onTimeout: String
    ) {
        self.bandwidthBytesPerSecond = bandwidthBytesPerSecond
        self.downtimeMs = downtimeMs
        self.completionTimeoutS = completionTimeoutS
        self.progressTimeoutS = progressTimeoutS
        self.onTimeout = onTimeout
    }
}

/// How the switchover stands.
package struct SwitchoverDTO: Hashable, Sendable, Codable {
    /// `auto` or `manual`.
    package let mode: String
    /// Whether pre-copy came so far that only the gate may still hold the switchover.
    package let ready: Bool
    /// `precopy_info`, `initial_bytes`, `downtime_limit`, `set_durations`, `gate`.
    package let blockedBy: [String]

    package init(mode: String, ready: Bool, blockedBy: [String]) {
        self.mode = mode
        self.ready = ready
        self.blockedBy = blockedBy
    }
}

/// How far a transfer is.
package struct JobProgressDTO: Hashable, Sendable, Codable {
    package var sentBytes: Int64
    package var remainingBytes: Int64
    package var rateBytesPerSecond: Int64
    package var iterations: Int64
    /// Milliseconds, rounded up.
    package var expectedDowntimeMs: Int64?
    /// The part of it that SETs take, as earlier jobs with these drivers measured; left out when
    /// none did, and then it is not counted.
    package var expectedSetMs: Int64?
    /// Milliseconds, rounded up.
    package var actualDowntimeMs: Int64?

    package init(
        sentBytes: Int64,
        remainingBytes: Int64,
        rateBytesPerSecond: Int64,
        iterations: Int64
    ) {
        self.sentBytes = sentBytes
        self.remainingBytes = remainingBytes
        self.rateBytesPerSecond = rateBytesPerSecond
        self.iterations = iterations
    }
}

/// When a phase began and how long it took.
package struct PhaseTimeDTO: Hashable, Sendable, Codable {
    package let phase: String
    package let startedAt: String
    /// Microseconds; left out while the phase lasts.
    package let durationUs: Int64?

    package init(phase: String, startedAt: String, durationUs: Int64?) {
        self.phase = phase
        self.startedAt = startedAt
        self.durationUs = durationUs
    }
}
