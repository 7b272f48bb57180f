/// Asks for a job.
///
/// Which fields belong to which kind: openapi/ferry.yaml.
package struct JobRequestDTO: Hashable, Sendable, Codable {
    /// `save`, `restore`, `migrate` or `reset`.
    package let kind: String
    package let devices: [JobRequestDeviceDTO]
    /// The job's name, chosen by the client.
    package var id: String?
    /// What a restore reads.
    package var image: String?
    package var limits: JobRequestLimitsDTO?
    package var switchover: JobRequestSwitchoverDTO?
    /// What the source of a save does when the image is sealed: `run` or `stop`.
    package var after: String?
    /// Restores an image although its source ran on.
    package var acceptCopy: Bool?
    /// Overwrites what a target holds.
    package var discardTargetContent: Bool?
    /// Says that no device of the set maps another's memory, so that none needs the P2P states.
    package var noP2pMappings: Bool?
    package var labels: [String: String]?

    package init(kind: String, devices: [JobRequestDeviceDTO]) {
        self.kind = kind
        self.devices = devices
    }
}

/// One device of a job: both ends for `migrate`, `target` for `restore`, `source` for the rest.
package struct JobRequestDeviceDTO: Hashable, Sendable, Codable {
    package let source: String?
    package let target: String?

    package init(source: String? = nil, target: String? = nil) {
        self.source = source
        self.target = target
    }
}

/// The bounds a client sets; the others keep their defaults.
package struct JobRequestLimitsDTO: Hashable, Sendable, Codable {
    package var bandwidthBytesPerSecond: Int64?
    package var downtimeMs: Int64?
    package var completionTimeoutS: Int64?
    /// How long pre-copy may come no nearer to its end; left out for as long as it takes.
    package var progressTimeoutS: Int64?
    /// What passing a limit in time does: `cancel`, `switch` or `continue`.
    package var onTimeout: String?

    package init() {}
}

/// Who decides when to switch over.
package struct JobRequestSwitchoverDTO: Hashable, Sendable, Codable {
    /// `auto` or `manual`.
    package let mode: String?

    package init(mode: String?) { self.mode = mode }
}

/// Settles a job that ended indeterminate.
package struct ResolveRequestDTO: Hashable, Sendable, Codable {
    /// Who may run from now on: `source`, `target` or `nobody`.
    package let mayRun: String
    /// For `source` behind a commit: the caller's word that the target cannot run any more.
    package let targetFenced: Bool?

    package init(mayRun: String, targetFenced: Bool? = nil) {
        self.mayRun = mayRun
        self.targetFenced = targetFenced
    }
}
