internal import Dispatch
package import MigrationCore
package import MigrationPorts
internal import SystemIO

/// The VFIO devices of the kernel, through their character devices and iommufd, or through their
/// groups and containers.
///
/// With a sysfs root other than `/` it lists that tree, and opens nothing.
package final class KernelBackend: DeviceBackend {
    private let inventory: SysfsInventory
    private let deviceDirectory: String
    private let isReadOnly: Bool
    private let debugStates: DebugStates
    private let supports = SupportCache()
    private let groups: OpenGroups
    /// What is listed; of a captured tree too, for which there are no events.
    private let watch: DeviceWatch<SysfsDevice>
    private let changes: HostChanges
    /// Where every session's signals are handled.
    private let signalQueue = DispatchQueue(label: "ferry.vfio.signals")

    /// Throws when there is no directory at the sysfs root.
    package init(sysfsRoot: String = "/", deviceDirectory: String = "/dev") throws(Problem) {
        do {
            self.inventory = try SysfsInventory(root: sysfsRoot, deviceDirectory: deviceDirectory)
        } catch {
            var problem = Problem(
                .invalidField,
                "The sysfs root \(sysfsRoot) cannot be opened: \(error.name)."
            )
            problem.facts.operation = "open"
            problem.facts.errno = error
            throw problem
        }
        self.deviceDirectory = deviceDirectory
        self.isReadOnly = sysfsRoot != "/"
        self.watch = DeviceWatch(inventory, hearing: isReadOnly ? nil : try? UeventSocket())
        self.debugStates = DebugStates(tree: inventory.tree)
        self.changes = HostChanges(inventory)
        self.groups = OpenGroups(containerPath: "\(deviceDirectory)/vfio/vfio")
    }

    package func devices() -> [DeviceRecord] { completed(watch.devices) }

    package func device(_ id: DeviceID) -> DeviceRecord? {
        inventory.device(id).flatMap { completed([$0]).first }
    }

    package func observe(_ onChange: @escaping @Sendable (DeviceChanges) -> Bool) {
        watch.observe { [supports] gone, changed in
            supports.forget(gone: gone, changed: changed.map(\.record))
            return onChange(DeviceChanges(gone: gone, changed: changed.map(\.record.id)))
        }
    }

    package func open(
        _ id: DeviceID,
        joining companion: (any DeviceSession)?
    ) throws(Problem) -> any DeviceSession {
        let device = try usable(id)
        let partner = try companion.map { companion throws(Problem) in
            try files(of: companion, for: id)
        }
        let way = try device.way(joining: partner?.space)
        do throws(SessionRefusal) {
            return try session(device, try open(device, way, joining: partner?.space))
        } catch {
            throw problem(error, device.found, isJoining: partner != nil)
        }
    }

    package func adopt(
        _ id: DeviceID,
        _ descriptors: consuming DeviceDescriptors
    ) throws(Problem) -> any DeviceSession {
        let device = try usable(id)
        let checked = try DescriptorCheck(
            device: id,
            cdev: device.found.cdevNumber,
            iommu: inventory.iommuNumber(),
            group: inventory.groupNumber(of: device.found),
            container: inventory.containerNumber()
        ).checked(descriptors)
        do throws(SessionRefusal) {
            switch checked {
            case .files(let files): return try session(device, files)
            case .group(let handedIn): return try session(device, try files(device, handedIn))
            }
        } catch .fault(let fault) where fault.operation == .deviceFile && fault.errno == .invalid {
            throw OpenDiagnosis.withoutContainer(fault, id)
        } catch {
            throw problem(error, device.found)
        }
    }

    package func resume(
        _ id: DeviceID,
        _ files: [KeptFile]
    ) throws(Problem) -> any DeviceSession {
        let descriptors: DeviceDescriptors?
        _ = try usable(id)
        do throws(Errno) {
            descriptors = try KernelSession.descriptors(of: files)
        } catch {
            throw OpenDiagnosis.problem(KernelFault(operation: .duplicate, errno: error), on: id)
        }
        guard let descriptors, KernelSession.haveDevice(files) else {
            throw Problem(
                .invalidField,
                "The files kept of \(id) are not those of one session.",
                Problem.Facts(device: id)
            )
        }
        // The kept files stay open meanwhile: no close of theirs is the device's last one.
        defer { withExtendedLifetime(files) {} }
        return try adopt(id, descriptors)
    }

    package func probe(_ id: DeviceID) throws(Problem) -> MigrationSupport {
        if let device = inventory.device(id), device.record.support == .recreate {
            return .recreate
        }
        let device = try usable(id)
        let holders = holders(of: device.found)
        guard holders.isEmpty else { throw Problem.inUse(id, by: holders) }
        let way = try device.way(joining: nil)
        do throws(SessionRefusal) {
            let files = try openForProbe(device, way)
            let flags = try attempting(.migration, files.device.migrationFlags)
            let support = try KernelSession.migrationSupport(flags)
            supports.keep(support, for: device.found.record)
            return support
        } catch {
            throw problem(error, device.found)
        }
    }

    package func holders(of id: DeviceID) -> [Problem.Holder] {
        inventory.device(id).map { holders(of: $0) } ?? []
    }

    package func initialSessions() -> [any DeviceSession] { [] }

    // MARK: The host's devices

    package func change(_ id: DeviceID, _ change: DeviceChange) throws(Problem) {
        try checkWritable(id)
        guard let device = inventory.device(id) else {
            throw Problem(
                .deviceGone,
                "There is no device \(id) any more.",
                Problem.Facts(device: id)
            )
        }
        try changes.make(change, of: device)
    }

    package func place(of id: DeviceID) -> DevicePlace? { changes.place(of: id) }

    package func settle(
        _ action: AuditRecord.Action,
        of id: DeviceID,
        before: DevicePlace?
    ) throws(Problem) -> ChangeRemains? {
        try checkWritable(id)
        return try changes.settle(action, of: id, before: before)
    }

    package func mediatedTypes() -> [MediatedType] { changes.types() }

    package func create(_ request: MediatedRequest) throws(Problem) -> DeviceID? {
        try checkWritable(request.device)
        return try changes.create(request)
    }

    package func mediatedDevice(_ uuid: String) -> DeviceID? { changes.device(uuid) }

    /// A captured tree is looked at only: what was written to it would change nothing.
    private func checkWritable(_ id: DeviceID?) throws(Problem) {
        guard isReadOnly else { return }
        var facts = Problem.Facts()
        facts.device = id
        facts.reasons = ["It is listed from a captured sysfs tree, and is no device of this host."]
        throw Problem(.changeRefused, "The devices of a captured tree cannot be changed.", facts)
    }

    // MARK: Opening

    private var iommuPath: String { "\(deviceDirectory)/iommu" }

    private func usable(_ id: DeviceID) throws(Problem) -> UsableDevice {
        let facts = Problem.Facts(device: id)
        guard !isReadOnly else {
            throw Problem(
                .notMigratable,
                "\(id) is listed from a captured sysfs tree, and is no device of this host.",
                facts
            )
        }
        guard let found = inventory.device(id) else {
            if let errno = inventory.exhaustion() { throw OpenDiagnosis.exhausted(errno, facts) }
            throw Problem(.deviceGone, "There is no VFIO device \(id).", facts)
        }
        guard !found.isWithoutIOMMU else {
            throw Problem(
                .notMigratable,
                "\(id) is used without an IOMMU (\(found.record.groupPath ?? "")): nothing would "
                    + "confine its DMA, so Ferry lists it and never opens it.",
                facts
            )
        }
        var group: UsableDevice.Group?
        if let number = found.record.iommuGroup, let path = found.record.groupPath {
            group = UsableDevice.Group(path: path, shared: groups.group(number))
        }
        guard found.record.cdevPath != nil || group != nil else {
            throw Problem(
                .deviceFailed,
                "\(id) has neither a character device below \(deviceDirectory)/vfio/devices nor "
                    + "a node of its IOMMU group below \(deviceDirectory)/vfio.",
                facts
            )
        }
        return UsableDevice(
            found: found,
            cdevPath: found.record.cdevPath,
            group: group,
            hasIOMMU: inventory.iommuNumber() != nil
        )
    }

    private func open(
        _ device: UsableDevice,
        _ way: UsableDevice.Way,
        joining companion: AddressSpace?
    ) throws(SessionRefusal) -> KernelSession.Files {
        switch way {
        case .cdev(let path):
            var partner: (iommu: IOMMUFile, pageTableID: UInt32?)?
            if case .iommufd(let iommu, let pageTableID)? = companion {
                partner = (iommu, pageTableID)
            }
            return try KernelSession.files(opening: path, iommuPath: iommuPath, joining: partner)
        case .group(let group):
            return try KernelSession.files(of: try join(group, device, joining: companion))
        }
    }

    /// Opens a device just far enough to be asked what it can do.
    private func openForProbe(
        _ device: UsableDevice,
        _ way: UsableDevice.Way
    ) throws(SessionRefusal) -> KernelSession.Files {
        guard case .cdev(let path) = way else { return try open(device, way, joining: nil) }
        // No address space: the features answer once the device is bound.
        let bound = try KernelSession.bind(opening: path, iommuPath: iommuPath, joining: nil)
        return KernelSession.Files(
            device: bound.device,
            space: .iommufd(bound.iommu, pageTableID: nil)
        )
    }

    private func join(
        _ group: UsableDevice.Group,
        _ device: UsableDevice,
        joining companion: AddressSpace?
    ) throws(SessionRefusal) -> GroupMembership {
        var container: ContainerFile?
        if case .group(let membership)? = companion {
            container = try attempting(.setContainer, membership.group.files).container
        }
        return try group.shared.join(device.found.kernelName, .alone, joining: container) {
            () throws(SessionRefusal) in
            try GroupFiles(
                opening: group.path,
                containerPath: group.shared.containerPath,
                joining: container
            )
        }
    }

    /// The files of a device whose group was handed in: its own file comes from the group, so it is
    /// the device it is said to be.
    private func files(
        _ device: UsableDevice,
        _ handedIn: GroupFiles
    ) throws(SessionRefusal) -> KernelSession.Files {
        guard let group = device.group else {
            throw .fault(KernelFault(operation: .deviceFile, errno: .noDevice))
        }
        let membership = try group.shared.join(device.found.kernelName, .withOthers) {
            () throws(SessionRefusal) in handedIn
        }
        return try KernelSession.files(of: membership)
    }

    private func session(
        _ device: UsableDevice,
        _ files: KernelSession.Files
    ) throws(SessionRefusal) -> KernelSession {
        let id = device.found.record.id
        let session = try KernelSession.session(id, files, signalsOn: signalQueue)
        supports.keep(session.support, for: device.found.record)
        return session
    }

    private func files(
        of companion: any DeviceSession,
        for id: DeviceID
    ) throws(Problem) -> KernelSession.Files {
        let facts = Problem.Facts(device: id)
        guard let session = companion as? KernelSession else {
            throw Problem(
                .incompatible,
                "\(id) cannot join the address space of \(companion.device), which is no device "
                    + "of the kernel.",
                facts
            )
        }
        do {
            return try session.open()
        } catch {
            throw Problem(.deviceGone, "The session of \(session.device) is closed.", facts)
        }
    }

    // MARK: Looking around

    private func holders(of device: SysfsDevice) -> [Problem.Holder] {
        guard !isReadOnly else { return [] }
        return HolderScan(nodes: nodes(of: device)).holders()
    }

    private func nodes(of device: SysfsDevice) -> [String] {
        [device.record.cdevPath, device.record.groupPath].compactMap(\.self)
    }

    private func problem(
        _ refusal: SessionRefusal,
        _ device: SysfsDevice,
        isJoining: Bool = false
    ) -> Problem {
        let id = device.record.id
        switch refusal {
        case .meaningless(let flags): return OpenDiagnosis.meaningless(flags, id)
        case .heldByOurselves: return OpenDiagnosis.heldByOurselves(id)
        case .noType1: return OpenDiagnosis.noType1(id)
        case .otherContainer: return OpenDiagnosis.otherContainer(id)
        case .notViable: return OpenDiagnosis.notViable(id, surroundings(of: device, isJoining))
        case .fault(let fault):
            var around = OpenSurroundings(isJoining: isJoining)
            switch (fault.operation, fault.errno) {
            case (.openGroup, .busy), (_, .perm): around = surroundings(of: device, isJoining)
            case (_, .busy), (_, .invalid):
                around.holders = holders(of: device)
                around.isHeldByOurselves = HolderScan(nodes: nodes(of: device)).isHeldByOurselves()
            default: break
            }
            return OpenDiagnosis.problem(fault, on: id, around)
        }
    }

    private func surroundings(of device: SysfsDevice, _ isJoining: Bool) -> OpenSurroundings {
        let siblings = inventory.siblings(of: device)
        return OpenSurroundings(
            holders: holders(of: device),
            isHeldByOurselves: HolderScan(nodes: nodes(of: device)).isHeldByOurselves(),
            blockingSiblings: siblings.filter(\.blocksGroup).map(\.description),
            siblingHolders: HolderScan(nodes: siblings.compactMap(\.cdev)).holders(),
            isJoining: isJoining
        )
    }

    /// Adds what was learned by opening, and what debugfs tells.
    private func completed(_ devices: [SysfsDevice]) -> [DeviceRecord] {
        let answers = debugStates.answers(for: devices.lazy.map(\.kernelName))
        // A list is as long as the host is large, and of most hosts no more is known.
        if answers.isEmpty, supports.isEmpty { return devices.map(\.record) }
        return devices.map { device in
            var record = device.record
            switch answers[device.kernelName] {
            case .state(let state)?:
                record.debugState = state
                if record.support == .unknown {
                    // The directory is there because the driver has migration, which means at
                    // least this.
                    record.support = .stateStream(.stopCopy)
                    record.supportSource = .debugfs
                }
            case .noMigration? where record.support != .recreate:
                record.support = .none
                record.supportSource = .debugfs
            case .noMigration?, nil: break
            }
            if record.support != .recreate, let answer = supports.answer(of: record) {
                record.support = answer.support
                record.supportSource = .probe(at: answer.at)
            }
            return record
        }
    }
}
