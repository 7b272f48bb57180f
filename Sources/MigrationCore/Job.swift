/// One job: the durable record that journals, long polls and GET all render.
package struct Job: Hashable, Sendable, Codable {
    package let id: JobID
    package let spec: JobSpec
    package let requestedBy: String
    package let createdAt: Timestamp
    /// The trace of the request it was asked for with.
    package var trace: TraceParent?
    package var startedAt: Timestamp?
    package var finishedAt: Timestamp?
    package var state: JobState
    package var phase: JobPhase?
    /// Advances by one on every durable change, and only then.
    package var generation: UInt64
    package var phaseTimes: [PhaseTime]
    package var devices: [JobDevice]
    package var mayRun: MayRun
    /// The image a save made or a restore reads.
    package var image: ImageID?
    package var warnings: [String]
    /// Quiescing SET to the last target device running, when it happened.
    package var actualDowntimeNanoseconds: UInt64?
    /// The limits somebody gave it while it ran; nil while those of the request hold.
    package var changedLimits: ChangedLimits?
    /// How many rounds of pre-copy it made, as last written down.
    package var roundCount: UInt64?

    package init(id: JobID, spec: JobSpec, requestedBy: String, createdAt: Timestamp) {
        self.id = id
        self.spec = spec
        self.requestedBy = requestedBy
        self.createdAt = createdAt
        self.state = .queued
        self.generation = 1
        self.phaseTimes = []
        self.devices = []
        self.mayRun = spec.work.hasSource ? .source : .nobody
        self.warnings = []
    }
}

extension Job {
    /// The limits that hold now.
    package var limits: JobSpec.Limits { changedLimits?.limits ?? spec.limits }

    /// Advances whenever the limits change; 1 for those of the request.
    package var limitsRevision: UInt64 { changedLimits?.revision ?? 1 }
}

/// Limits that took the place of those a job was asked for with.
package struct ChangedLimits: Hashable, Sendable, Codable {
    package let limits: JobSpec.Limits
    package let revision: UInt64

    package init(limits: JobSpec.Limits, revision: UInt64) {
        self.limits = limits
        self.revision = revision
    }
}

/// How a job stands, with what belongs to that.
package enum JobState: Hashable, Sendable, Codable {
    case queued
    case running
    /// Cancel is accepted; the rollback runs.
    case cancelling
    case succeeded
    case failed(Problem)
    case cancelled
    /// What happened cannot be known, or what to do is a person's to decide.
    case indeterminate(Problem)

    package var name: String {
        switch self {
        case .queued: "queued"
        case .running: "running"
        case .cancelling: "cancelling"
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .cancelled: "cancelled"
        case .indeterminate: "indeterminate"
        }
    }

    package var isTerminal: Bool {
        switch self {
        case .queued, .running, .cancelling: false
        case .succeeded, .failed, .cancelled, .indeterminate: true
        }
    }

    package var problem: Problem? {
        switch self {
        case .failed(let problem), .indeterminate(let problem): problem
        default: nil
        }
    }
}

/// Which side's content may act after what the job did.
package enum MayRun: String, Hashable, Sendable, Codable {
    case source
    case target
    case nobody
    case unknown
}

/// When a phase began and how long it took; nil while it lasts.
package struct PhaseTime: Hashable, Sendable, Codable {
    package let phase: JobPhase
    package let startedAt: Timestamp
    package var nanoseconds: UInt64?

    package init(phase: JobPhase, startedAt: Timestamp) {
        self.phase = phase
        self.startedAt = startedAt
    }
}

/// One device of a job, with what the job did to it.
package struct JobDevice: Hashable, Sendable, Codable {
    package let device: DeviceID
    package let side: Side
    /// The session the job has the device by: a later one is another content.
    package var session: SessionID?
    /// The last state the device itself reported.
    package var vfioState: DeviceState?
    package var content: DeviceContent?
    /// Last answer of `VFIO_MIG_GET_PRECOPY_INFO`, in bytes.
    package var initialBytes: UInt64?
    package var dirtyBytes: UInt64?
    /// Last answer of `VFIO_DEVICE_FEATURE_MIG_DATA_SIZE`, in bytes.
    package var stopCopyBytes: UInt64?
    /// Bytes of the stream so far.
    package var transferredBytes: UInt64
    package var arcs: [ArcTime]

    package init(device: DeviceID, side: Side) {
        self.device = device
        self.side = side
        self.transferredBytes = 0
        self.arcs = []
    }
}

/// A side of a job.
package enum Side: String, Hashable, Sendable, Codable {
    case source
    case target
}

/// A SET that was made, and its measured time.
package struct ArcTime: Hashable, Sendable, Codable {
    package let from: DeviceState
    package let to: DeviceState
    package let nanoseconds: UInt64
    package let errno: Errno?

    package init(from: DeviceState, to: DeviceState, nanoseconds: UInt64, errno: Errno?) {
        self.from = from
        self.to = to
        self.nanoseconds = nanoseconds
        self.errno = errno
    }
}

/// One line of a job's journal: the intent before an effect, or its outcome.
package struct JournalEntry: Hashable, Sendable, Codable {
    package let at: Timestamp
    package let phase: JobPhase?
    package let line: Line

    package init(at: Timestamp, phase: JobPhase?, line: Line) {
        self.at = at
        self.phase = phase
        self.line = line
    }

    package enum Line: Hashable, Sendable, Codable {
        case accepted
        /// About to be done.
        ///
        /// `device` and the ends of the arc when it is a SET.
        case intent(action: String, device: DeviceID?, arc: Problem.ArcNames?)
        case done(action: String, device: DeviceID?, arc: Problem.ArcNames?, nanoseconds: UInt64)
        case failed(action: String, device: DeviceID?, arc: Problem.ArcNames?, problem: Problem)
        case cancelRequested
        case switchoverRequested
        /// A limit in time asks for the switchover, as the job was told to (`on_timeout`).
        case switchoverForced(reason: String)
        case limitsChanged(JobSpec.Limits)
        /// Somebody settled an indeterminate job: who may run.
        case resolved(MayRun)
        /// From here on the source's content is the truth and COMMIT is refused.
        case abort(Problem)
        /// The commit record: from here on only the target may run.
        case commit
        case finished(state: String)
        case recovered(note: String)
        /// Stands in the place of a line that cannot be read any more. Never written.
        case unreadable(reason: String)
    }
}

/// A journal entry with its place in the journal; sequence numbers start at 1 in each job.
package struct StoredJournalEntry: Hashable, Sendable {
    package let sequence: Int64
    package let entry: JournalEntry

    package init(sequence: Int64, entry: JournalEntry) {
        self.sequence = sequence
        self.entry = entry
    }
}

/// Something that changed, for whoever follows the daemon.
package struct Event: Hashable, Sendable, Codable {
    package let at: Timestamp
    package let topic: Topic

    package init(at: Timestamp, topic: Topic) {
        self.at = at
        self.topic = topic
    }

    package enum Topic: Hashable, Sendable, Codable {
        case jobChanged(JobID, generation: UInt64, state: String, phase: JobPhase?)
        case sessionChanged(SessionID, DeviceID, status: String, content: DeviceContent)
        case imageChanged(ImageID, exists: Bool)
        /// Unplug asked for (REQ) or an error signalled (ERR) by the kernel.
        case deviceAlert(DeviceID, String)
        /// New, or not what it was.
        case deviceChanged(DeviceID)
        case deviceGone(DeviceID)
    }
}

/// An event with its place in the order of all; numbers are never used twice.
package struct StoredEvent: Hashable, Sendable {
    package let sequence: Int64
    /// Nil for one that cannot be read any more.
    package let event: Event?

    package init(sequence: Int64, event: Event?) {
        self.sequence = sequence
        self.event = event
    }
}

/// Which events there are.
package struct EventSpan: Hashable, Sendable {
    /// The last number of those that are forgotten; every later one up to `newest` is there.
    package let forgotten: Int64
    /// The last number that was given; as large as `forgotten` when there are no events.
    package let newest: Int64

    package init(forgotten: Int64, newest: Int64) {
        self.forgotten = forgotten
        self.newest = newest
    }
}
