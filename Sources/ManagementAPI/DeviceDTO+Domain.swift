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
            migration: MigrationSupportDTO(view)
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
        vfioState = view.vfioStateName
        session = view.session?.id.text
        content = view.session?.content.rawValue
        lockedBy = view.lockedBy?.text
        simulated = record.simulation.map(SimulationDTO.init)
    }
}

extension MigrationSupportDTO {
    init(_ view: DeviceView) {
        let support = view.record.support
        self.init(
            kind: support.kind,
            flags: support.flags?.names ?? [],
            source: view.migrationSource
        )
    }
}

extension DeviceView {
    /// How Ferry knows what the device can do; nil when it does not.
    var migrationSource: String? {
        if record.backend == .simulated { return "simulation" }
        return switch record.support {
        case .unknown: nil
        case .recreate: "driver"
        case .stateStream: session != nil ? "session" : "probe"
        case .none: session != nil ? "session" : "driver"
        }
    }

    var vfioStateName: String? { (lastState ?? record.debugState)?.apiName }
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
