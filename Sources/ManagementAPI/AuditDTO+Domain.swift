internal import APISchema
internal import MigrationCore

extension AuditRecordDTO {
    init(_ record: AuditRecord) {
        self.init(
            id: record.id.text,
            action: record.action.name,
            subject: record.subject.text,
            state: record.state.name,
            requestedBy: record.requester.name,
            startedAt: record.startedAt.rfc3339,
            forced: record.action.isForced
        )
        requestId = record.requester.requestID
        finishedAt = record.finishedAt?.rfc3339
        wanted = WantedChangeDTO(record.action)
        before = record.before.map(DevicePlaceDTO.init)
        after = record.after.map(DevicePlaceDTO.init)
        undone = record.isUndone
        error = record.state.problem.map {
            ProblemDTO($0, instance: "/v1/audit/\(record.id)")
        }
    }
}

extension WantedChangeDTO {
    /// Nil for a change that has nothing more to say.
    init?(_ action: AuditRecord.Action) {
        self.init()
        switch action {
        case .change(.bind(let driver, _)), .change(.unbind(let driver, _)):
            guard driver != nil else { return nil }
            self.driver = driver
        case .change(.virtualFunctions(let count, let isProbed, _)):
            virtualFunctionsCount = count
            autoprobe = isProbed
        case .change(.removal): return nil
        case .create(let request):
            parent = request.parent
            type = request.type
        }
    }
}

extension DevicePlaceDTO {
    init(_ place: DevicePlace) {
        self.init()
        driver = place.driver
        driverOverride = place.driverOverride
        virtualFunctionsCount = place.functionCount
        autoprobe = place.isProbed
    }
}

extension AuditRecord.Action {
    var isForced: Bool {
        switch self {
        case .change(.bind(_, let isForced)), .change(.unbind(_, let isForced)),
            .change(.virtualFunctions(_, _, let isForced)):
            isForced
        case .change(.removal), .create: false
        }
    }
}
