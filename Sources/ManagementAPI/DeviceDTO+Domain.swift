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
        vendorName = record.names?.vendor
        deviceName = record.names?.device
        deviceAPI = record.deviceAPI
        numaNode = record.numaNode
        isolation = record.isolation.map(IsolationDTO.init)
        pci = record.pci.map { PCIFactsDTO($0, className: record.names?.deviceClass) }
        mdev = record.mediated.map {
            MediatedFactsDTO(parent: $0.parent, type: $0.type, typeName: $0.typeName)
        }
        ccw = record.subchannel.map(SubchannelFactsDTO.init)
        ap = record.matrix.map {
            MatrixFactsDTO(
                queues: $0.queues,
                guestQueues: $0.guestQueues,
                controlDomains: $0.controlDomains
            )
        }
        vfioUser = record.socket.map(SocketFactsDTO.init)
        candidate = record.candidate.map {
            CandidateDTO(kind: $0.kind.rawValue, driver: $0.driver, steps: $0.steps)
        }
        vfioState = view.vfioStateName
        session = view.session?.id.text
        content = view.session?.content.rawValue
        lockedBy = view.lockedBy?.text
        holders = view.holders?.map(HolderDTO.init)
        simulated = record.simulation.map(SimulationDTO.init)
    }
}

extension MigrationSupportDTO {
    init(_ view: DeviceView) {
        let support = view.record.support
        self.init(
            kind: support.kind,
            flags: support.flags?.names ?? [],
            source: view.migrationSource,
            probedAt: view.probedAt,
            reason: view.record.listedOnly
        )
    }
}

extension DeviceView {
    /// How Ferry knows what the device can do; nil when it does not.
    var migrationSource: String? {
        if record.backend == .simulated { return "simulation" }
        guard session == nil || [.recreate, .unknown].contains(record.support) else {
            return "session"
        }
        return record.supportSource?.name
    }

    /// When the device was asked what it can do; nil when its session answered, or nobody did.
    var probedAt: String? {
        guard session == nil, case .probe(let time)? = record.supportSource else { return nil }
        return time.rfc3339
    }

    var vfioStateName: String? { (lastState ?? record.debugState)?.apiName }
}

extension IsolationDTO {
    init(_ facts: IsolationFacts) {
        self.init(
            type: facts.kind,
            viable: facts.isViable,
            siblings: facts.siblings.map {
                GroupSiblingDTO(address: $0.address, driver: $0.driver, blocking: $0.isBlocking)
            }
        )
    }
}

extension PCIFactsDTO {
    init(_ facts: PCIFacts, className: String?) {
        self.init(resetMethods: facts.resetMethods)
        classCode = facts.classCode.map { hexadecimal($0, digits: 6) }
        self.className = className
        powerState = facts.powerState
        switch facts.role {
        case .plain: break
        case .physical(let limit, let functions):
            virtualFunctions = functions
            virtualFunctionsLimit = limit
        case .virtual(let physical): physicalFunction = physical
        }
    }
}

extension SubchannelFactsDTO {
    init(_ facts: SubchannelFacts) {
        self.init(
            subchannel: facts.address,
            deviceNumber: facts.deviceNumber,
            channelPaths: facts.paths,
            installedMask: hexadecimal(UInt32(facts.installedMask), digits: 2),
            availableMask: hexadecimal(UInt32(facts.availableMask), digits: 2),
            operationalMask: hexadecimal(UInt32(facts.operationalMask), digits: 2)
        )
    }
}

extension SocketFactsDTO {
    init(_ facts: SocketFacts) {
        self.init(socket: facts.name)
        switch facts {
        case .present(let permissions, let owner, let group):
            let digits = String(permissions, radix: 8)
            mode = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            (uid, gid) = (owner, group)
        case .unreadable(let error): errno = error.name
        case .missing, .notASocket: break
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
