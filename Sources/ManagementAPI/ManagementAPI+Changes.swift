internal import APISchema
internal import JobEngine
internal import MigrationCore

/// Changes of the place that devices have on the host; the engine makes them on threads of its own.
extension ManagementAPI {
    func bindDevice(_ call: Call) throws(Problem) -> Outcome {
        let request = try call.decodedBody(BindRequestDTO.self)
        try RequestField.requireDriver(request.driver)
        return try changed(call, .bind(driver: request.driver, isForced: request.force ?? false))
    }

    func unbindDevice(_ call: Call) throws(Problem) -> Outcome {
        let request = try call.decodedBody(UnbindRequestDTO.self)
        try RequestField.requireDriver(request.driver)
        return try changed(call, .unbind(driver: request.driver, isForced: request.force ?? false))
    }

    func setVirtualFunctions(_ call: Call) throws(Problem) -> Outcome {
        let request = try call.decodedBody(VirtualFunctionsDTO.self)
        let change = DeviceChange.virtualFunctions(
            count: request.count,
            isProbed: request.autoprobe,
            isForced: request.force ?? false
        )
        return try changed(call, change)
    }

    func listMediatedTypes(_ call: Call) -> Outcome {
        .blocking { [engine] () throws(Problem) in
            try .page(of: engine.mediatedTypes().map(MediatedTypeDTO.init), nextCursor: nil)
        }
    }

    func createMediatedDevice(_ call: Call) throws(Problem) -> Outcome {
        let request = try MediatedRequest(call.decodedBody(MediatedRequestDTO.self))
        let requester = call.requester
        return .elsewhere { [self] answer throws(Problem) in
            try engine.create(request, by: requester) { [self] made in
                answer { () throws(Problem) in
                    let view = try made.get()
                    return .document(
                        text: try devices.document(for: view).text,
                        status: 201,
                        headers: [("Location", "/v1/devices/\(view.record.id.text)")]
                    )
                }
            }
        }
    }

    func removeMediatedDevice(_ call: Call) throws(Problem) -> Outcome {
        let id: DeviceID = try call.id(of: "mediated device")
        let requester = call.requester
        return .elsewhere { [engine] answer throws(Problem) in
            try engine.removeMediated(id.text.lowercased(), by: requester) { removed in
                answer { () throws(Problem) in
                    try removed.get()
                    return .noContent
                }
            }
        }
    }

    private func changed(_ call: Call, _ change: DeviceChange) throws(Problem) -> Outcome {
        let id: DeviceID = try call.id(of: "device")
        let requester = call.requester
        return .elsewhere { [self] answer throws(Problem) in
            try engine.change(id, change, by: requester) { [self] changed in
                answer { () throws(Problem) in
                    .document(text: try devices.document(for: changed.get()).text)
                }
            }
        }
    }
}

extension Call {
    /// Who asks, as the audit has it.
    fileprivate var requester: Requester { Requester(name: caller.name, requestID: requestID) }
}

// The audit keeps what was asked for, so that no name may be longer than those of the kernel.
extension RequestField {
    fileprivate static func requireDriver(_ name: String?) throws(Problem) {
        guard let name, !KernelName.isDriver(name) else { return }
        throw problem(
            at: "/driver",
            "A driver's name has 1 to 64 letters, digits, hyphens and underscores."
        )
    }

    fileprivate static func requireDirectory(_ name: String, at pointer: String) throws(Problem) {
        guard !KernelName.isDirectory(name) else { return }
        throw problem(at: pointer, "The name must have 1 to 255 visible characters, and no slash.")
    }
}

extension MediatedRequest {
    /// Throws `invalid-field` for a UUID that is none, and for names no directory of sysfs has.
    init(_ request: MediatedRequestDTO) throws(Problem) {
        try RequestField.requireDirectory(request.parent, at: "/parent")
        try RequestField.requireDirectory(request.type, at: "/type")
        guard let uuid = request.uuid else {
            self.init(parent: request.parent, type: request.type)
            return
        }
        guard let named = Self(parent: request.parent, type: request.type, uuid: uuid) else {
            throw RequestField.problem(at: "/uuid", "This is no UUID.")
        }
        self = named
    }
}

extension MediatedTypeDTO {
    init(_ type: MediatedType) {
        self.init(parent: type.parent, type: type.type)
        name = type.name
        deviceAPI = type.deviceAPI
        availableInstances = type.availableCount
        description = type.description
    }
}
