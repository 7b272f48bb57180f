/// What a job was asked to do, decoded once and then never changed.
package struct JobSpec: Hashable, Sendable, Codable {
    package var id: JobID?
    package var work: Work
    package var limits: Limits
    package var switchoverMode: SwitchoverMode
    /// Whether the client says that the devices of the set have no DMA mappings to each other's
    /// memory, so that a set without P2P may move.
    package var hasNoPeerMappings: Bool
    package var labels: [String: String]

    package init(
        id: JobID? = nil,
        work: Work,
        limits: Limits = Limits(),
        switchoverMode: SwitchoverMode = .auto,
        hasNoPeerMappings: Bool = false,
        labels: [String: String] = [:]
    ) {
        self.id = id
        self.work = work
        self.limits = limits
        self.switchoverMode = switchoverMode
        self.hasNoPeerMappings = hasNoPeerMappings
        self.labels = labels
    }

    /// The kind of a job with what only that kind needs.
    package enum Work: Hashable, Sendable, Codable {
        case save(sources: [DeviceID], after: AfterSave)
        case restore(image: ImageID, members: [RestoreMember], acceptCopy: Bool, discard: Bool)
        case migrate(pairs: [DevicePair], discard: Bool)
        case reset(devices: [DeviceID])

        package var kind: JobKind {
            switch self {
            case .save: .save
            case .restore: .restore
            case .migrate: .migrate
            case .reset: .reset
            }
        }

        /// Whether the job takes content out of devices.
        package var hasSource: Bool {
            switch self {
            case .save, .migrate: true
            case .restore, .reset: false
            }
        }

        /// Whether the source's content goes on changing after a save.
        package var sourceRunsOn: Bool {
            guard case .save(_, .run) = self else { return false }
            return true
        }

        /// Every device the job needs to itself, sources first.
        package var devices: [DeviceID] {
            switch self {
            case .save(let sources, _): sources
            case .restore(_, let members, _, _): members.map(\.target)
            case .migrate(let pairs, _): pairs.map(\.source) + pairs.map(\.target)
            case .reset(let devices): devices
            }
        }
    }

    /// What the source of a save does when the image is sealed.
    package enum AfterSave: String, CaseIterable, Hashable, Sendable, Codable {
        case run
        case stop
    }

    /// A device of an image and where it goes; `source` may be nil when the image has one.
    package struct RestoreMember: Hashable, Sendable, Codable {
        package let source: DeviceID?
        package let target: DeviceID

        package init(source: DeviceID?, target: DeviceID) {
            self.source = source
            self.target = target
        }
    }

    /// A source and its target on one host.
    package struct DevicePair: Hashable, Sendable, Codable {
        package let source: DeviceID
        package let target: DeviceID

        package init(source: DeviceID, target: DeviceID) {
            self.source = source
            self.target = target
        }
    }

    /// Who decides when to switch over.
    package enum SwitchoverMode: String, CaseIterable, Hashable, Sendable, Codable {
        case auto
        /// Pre-copy goes on until `POST …/switchover`.
        case manual
    }

    /// The bounds of a job.
    ///
    /// Every one ends at the commit attempt, and may be changed until then.
    package struct Limits: Hashable, Sendable, Codable {
        /// Caps pre-copy and is lifted at switchover; nil for no cap.
        package var bandwidthBytesPerSecond: UInt64?
        package var downtimeMilliseconds: UInt64
        package var completionTimeoutSeconds: UInt64
        /// How long pre-copy may come no nearer to its end; nil for as long as it takes.
        package var progressTimeoutSeconds: UInt64?
        package var onTimeout: OnTimeout

        package init(
            bandwidthBytesPerSecond: UInt64? = nil,
            downtimeMilliseconds: UInt64 = 300,
            completionTimeoutSeconds: UInt64 = 3600,
            progressTimeoutSeconds: UInt64? = nil,
            onTimeout: OnTimeout = .cancel
        ) {
            self.bandwidthBytesPerSecond = bandwidthBytesPerSecond
            self.downtimeMilliseconds = downtimeMilliseconds
            self.completionTimeoutSeconds = completionTimeoutSeconds
            self.progressTimeoutSeconds = progressTimeoutSeconds
            self.onTimeout = onTimeout
        }
    }

    /// What a limit in time does to the job that passes it.
    package enum OnTimeout: String, CaseIterable, Hashable, Sendable, Codable {
        /// It is called off.
        case cancel
        /// Pre-copy ends and the switchover comes, however long it will take.
        case switchOver = "switch"
        /// It goes on, with a warning.
        case goOn = "continue"
    }
}

/// Specs are stored, so what was added later has a value when it is not there.
extension JobSpec {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            id: try container.decodeIfPresent(JobID.self, forKey: .id),
            work: try container.decode(Work.self, forKey: .work),
            limits: try container.decode(Limits.self, forKey: .limits),
            switchoverMode: try container.decode(SwitchoverMode.self, forKey: .switchoverMode),
            hasNoPeerMappings: try container.decodeIfPresent(
                Bool.self,
                forKey: .hasNoPeerMappings
            ) ?? false,
            labels: try container.decode([String: String].self, forKey: .labels)
        )
    }
}

extension JobSpec.Limits {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            bandwidthBytesPerSecond: try container.decodeIfPresent(
                UInt64.self,
                forKey: .bandwidthBytesPerSecond
            ),
            downtimeMilliseconds: try container.decode(UInt64.self, forKey: .downtimeMilliseconds),
            completionTimeoutSeconds: try container.decode(
                UInt64.self,
                forKey: .completionTimeoutSeconds
            ),
            progressTimeoutSeconds: try container.decodeIfPresent(
                UInt64.self,
                forKey: .progressTimeoutSeconds
            ),
            onTimeout: try container.decodeIfPresent(JobSpec.OnTimeout.self, forKey: .onTimeout)
                ?? .cancel
        )
    }
}

/// The kinds of jobs.
package enum JobKind: String, CaseIterable, Hashable, Sendable, Codable {
    case save
    case restore
    case migrate
    case reset
}

/// The phases of a job, in order.
///
/// A kind may leave out some, never reorder them.
package enum JobPhase: String, CaseIterable, Hashable, Sendable, Codable {
    case prepare
    case preCopy = "pre_copy"
    case awaitingSwitchover = "awaiting_switchover"
    case quiesce
    case stopCopy = "stop_copy"
    case load
    case commit
    case start
    case release
}

extension JobPhase {
    /// The phases in which neither side runs.
    package static let downtime: Set<JobPhase> = [.quiesce, .stopCopy, .load, .commit, .start]
}
