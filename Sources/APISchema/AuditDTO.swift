/// A change that somebody asked for, and what came of it.
package struct AuditRecordDTO: Hashable, Sendable, Codable {
    package let id: String
    /// `device.bind`, `device.unbind`, `device.virtual_functions`, `mdev.create` or `mdev.remove`.
    package let action: String
    /// What was to be changed, by its id.
    package let subject: String
    /// `running`, `succeeded`, `refused`, `failed` or `interrupted`.
    package let state: String
    package let requestedBy: String
    /// What the request was called in its answer.
    package var requestId: String?
    package let startedAt: String
    package var finishedAt: String?
    /// Whether dangers to the host were accepted.
    package let forced: Bool
    package var wanted: WantedChangeDTO?
    /// Where the subject was; absent for one that was not there, or was not looked at.
    package var before: DevicePlaceDTO?
    /// Where it was afterwards.
    package var after: DevicePlaceDTO?
    /// Whether one that failed or was interrupted left the subject as it was.
    package var undone: Bool?
    package var error: ProblemDTO?

    package init(
        id: String,
        action: String,
        subject: String,
        state: String,
        requestedBy: String,
        startedAt: String,
        forced: Bool
    ) {
        self.id = id
        self.action = action
        self.subject = subject
        self.state = state
        self.requestedBy = requestedBy
        self.startedAt = startedAt
        self.forced = forced
    }
}

/// What a change was to make of its subject.
package struct WantedChangeDTO: Hashable, Sendable, Codable {
    package var driver: String?
    package var virtualFunctionsCount: Int?
    package var autoprobe: Bool?
    package var parent: String?
    package var type: String?

    package init() {}
}

/// Where a device is on the host.
package struct DevicePlaceDTO: Hashable, Sendable, Codable {
    package var driver: String?
    package var driverOverride: String?
    package var virtualFunctionsCount: Int?
    package var autoprobe: Bool?

    package init() {}
}
