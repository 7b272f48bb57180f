/// A change that somebody asked for, and what came of it: one record of the audit.
package struct AuditRecord: Hashable, Sendable, Codable {
    package let id: AuditID
    package var action: Action
    /// What was to be changed; of a mediated device that is to be made, the name it will have.
    package var subject: DeviceID
    package let requester: Requester
    package let startedAt: Timestamp
    /// The boot of the machine it began in; nil where the kernel does not say.
    package let boot: String?
    /// Where the subject was before; nil for one that was not there, or was not looked at.
    package var before: DevicePlace?
    /// Where it was afterwards.
    package var after: DevicePlace?
    package private(set) var finishedAt: Timestamp?
    package private(set) var state = State.running

    package init(
        id: AuditID,
        action: Action,
        subject: DeviceID,
        requester: Requester,
        startedAt: Timestamp,
        boot: String? = nil
    ) {
        self.id = id
        self.action = action
        self.subject = subject
        self.requester = requester
        self.startedAt = startedAt
        self.boot = boot
    }

    /// Notes what came of it.
    package mutating func end(_ state: State, at time: Timestamp) {
        self.state = state
        finishedAt = time
    }

    /// Whether a change that went wrong left its subject as it was; nil for any other one.
    package var isUndone: Bool? {
        switch state {
        case .failed, .interrupted: before == after
        case .running, .succeeded, .refused: nil
        }
    }

    /// What was asked for.
    package enum Action: Hashable, Sendable, Codable {
        case change(DeviceChange)
        case create(MediatedRequest)

        /// `device.bind`, `mdev.create`.
        package var name: String {
            switch self {
            case .change(.bind): "device.bind"
            case .change(.unbind): "device.unbind"
            case .change(.virtualFunctions): "device.virtual_functions"
            case .change(.removal): "mdev.remove"
            case .create: "mdev.create"
            }
        }

        /// Why the subject is to itself meanwhile.
        package var reason: String {
            switch self {
            case .change(let change): change.reason
            case .create: "it is being made"
            }
        }
    }

    /// How far it is.
    package enum State: Hashable, Sendable, Codable {
        /// The intent is written, and no outcome.
        case running
        case succeeded
        /// Nothing was done.
        case refused(Problem)
        /// The kernel refused a step, and the steps before it were taken back as far as it let them.
        case failed(Problem)
        /// The daemon died in it, and the next one did not find it done.
        case interrupted(Problem)

        package var name: String {
            switch self {
            case .running: "running"
            case .succeeded: "succeeded"
            case .refused: "refused"
            case .failed: "failed"
            case .interrupted: "interrupted"
            }
        }

        package var problem: Problem? {
            switch self {
            case .running, .succeeded: nil
            case .refused(let problem), .failed(let problem), .interrupted(let problem): problem
            }
        }
    }
}

/// Who asks for something, and by which request.
package struct Requester: Hashable, Sendable, Codable {
    /// As a job's `requestedBy` says it.
    package let name: String
    /// What the request is called in its answer and in the log.
    package let requestID: String?

    package init(name: String, requestID: String?) {
        self.name = name
        self.requestID = requestID
    }
}

/// Where a device is on the host.
package struct DevicePlace: Hashable, Sendable, Codable {
    package var driver: String?
    package var driverOverride: String?
    /// How many virtual functions a physical one has.
    package var functionCount: Int?
    /// What those are to the kernel: another text once they were made anew.
    package var functions: String?
    /// Whether drivers of the host are looked for on those that come.
    package var isProbed: Bool?

    package init(driver: String? = nil, driverOverride: String? = nil) {
        self.driver = driver
        self.driverOverride = driverOverride
    }
}

/// What a dead daemon left of a change.
package enum ChangeRemains: Hashable, Sendable {
    /// It had changed nothing.
    case untouched
    /// It had done all of it.
    case complete
    /// It was in the middle, and what it had done was taken back; a sentence for each step.
    case takenBack([String])
}

/// A record's place in the order of the audit.
package typealias AuditPlace = Int64

/// A record with its place; nil for one that cannot be read.
package struct StoredAuditRecord: Hashable, Sendable {
    package let place: AuditPlace
    package let record: AuditRecord?

    package init(place: AuditPlace, record: AuditRecord?) {
        self.place = place
        self.record = record
    }
}
