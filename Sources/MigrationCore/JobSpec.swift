/// What a job was asked to do, decoded once and then never changed.
package struct JobSpec: Hashable, Sendable, Codable {
    package var id: JobID?
    package var work: Work
    package var limits: Limits
    package var switchoverMode: SwitchoverMode
    package var labels: [String: String]

    package init(
        id: JobID? = nil,
        work: Work,
        limits: Limits = Limits(),
        switchoverMode: SwitchoverMode = .auto,
        labels: [String: String] = [:]
    ) {
        self.id = id
        self.work = work
        self.limits = limits
        self.switchoverMode = switchoverMode
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
    /// Every one ends at the commit attempt.
    package struct Limits: Hashable, Sendable, Codable {
        /// Caps pre-copy and is lifted at switchover; nil for no cap.
        package var bandwidthBytesPerSecond: UInt64?
        package var downtimeMilliseconds: UInt64
        package var completionTimeoutSeconds: UInt64

        package init(
            bandwidthBytesPerSecond: UInt64? = nil,
            downtimeMilliseconds: UInt64 = 300,
            completionTimeoutSeconds: UInt64 = 3600
        ) {
            self.bandwidthBytesPerSecond = bandwidthBytesPerSecond
            self.downtimeMilliseconds = downtimeMilliseconds
            self.completionTimeoutSeconds = completionTimeoutSeconds
        }
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
