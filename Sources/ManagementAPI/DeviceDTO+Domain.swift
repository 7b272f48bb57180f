internal import APISchema
internal import JobEngine
internal import MigrationCore

extension DeviceDTO {
    init(_ view: DeviceView) {
        let record = view.record
        self.init(
            id: record.id.text,
            backend: record.backend.rawValue,
            bus: record.bus.rawValue,
            address: record.address,
            migration: MigrationSupportDTO(record, hasSession: view.session != nil)
        )
        driver = record.driver
        iommuGroup = record.iommuGroup
        cdev = record.cdevPath
        group = record.groupPath
        vendorID = record.vendorID.map(pciIdentifier)
        deviceID = record.deviceID.map(pciIdentifier)
        numaNode = record.numaNode
        parent = record.parent
        mdevType = record.mdevType
        vfioState = (view.lastState ?? record.debugState)?.apiName
        session = view.session?.id.text
        content = view.session?.content.rawValue
        lockedBy = view.lockedBy?.text
        simulated = record.simulation.map(SimulationDTO.init)
    }
}

extension MigrationSupportDTO {
    init(_ record: DeviceRecord, hasSession: Bool) {
        self.init(
            kind: record.support.kind,
            flags: record.support.flags?.names ?? [],
            source: Self.source(of: record, hasSession: hasSession)
        )
    }

    private static func source(of record: DeviceRecord, hasSession: Bool) -> String? {
        if record.backend == .simulated { return "simulation" }
        return switch record.support {
        case .unknown: nil
        case .recreate: "driver"
        case .stateStream: hasSession ? "session" : "probe"
        case .none: hasSession ? "session" : "driver"
        }
    }
}

extension SimulationDTO {
    init(_ facts: SimulationFacts) {
        self.init(
            profile: facts.profile,
            seed: String(facts.seed),
            stateBytes: Int64(bytes: facts.stateByteCount),
            dirtyBytesPerSecond: Int64(bytes: facts.dirtyBytesPerSecond),
            contentDigest: facts.contentDigest,
            stoppedContentDigest: facts.stoppedContentDigest
        )
    }
}

extension ReportedState {
    /// `running_p2p`; `unknown_9` for a state newer than this version.
    fileprivate var apiName: String {
        switch self {
        case .known(let state): state.name
        case .unknown(let number): "unknown_\(number)"
        }
    }
}
