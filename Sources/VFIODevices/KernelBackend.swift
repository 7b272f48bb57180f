internal import Dispatch
package import MigrationCore
package import MigrationPorts
internal import Synchronization
internal import SystemIO

/// The VFIO devices of the kernel, through their character devices and iommufd.
///
/// With a sysfs root other than `/` it lists that tree, and opens nothing.
package final class KernelBackend: DeviceBackend {
    private let inventory: SysfsInventory
    private let deviceDirectory: String
    private let isReadOnly: Bool
    private let debugStates: DebugStates
    private let supports = SupportCache()
    // Guards the devices as last listed with descriptors to spare; a leaf of the lock order.
    private let lastListing = Mutex<[SysfsDevice]>([])
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
        self.debugStates = DebugStates(tree: inventory.tree)
    }

    package func devices() -> [DeviceRecord] {
        let found = inventory.devices()
        let isWhole = inventory.exhaustion() == nil
        return completed(
            lastListing.withLock { last in
                // Devices that could not be looked at are not gone.
                if isWhole { last = found }
                return last
            }
        )
    }

    package func device(_ id: DeviceID) -> DeviceRecord? {
        inventory.device(id).flatMap { completed([$0]).first }
    }

    package func open(
        _ id: DeviceID,
        joining companion: (any DeviceSession)?
    ) throws(Problem) -> any DeviceSession {
        let device = try usable(id)
        let partner = try companion.map { companion throws(Problem) in
            try files(of: companion, for: id)
        }
        do throws(SessionRefusal) {
            let files = try faulting { () throws(KernelFault) in
                let bound = try KernelSession.bind(
                    opening: device.cdevPath,
                    iommuPath: iommuPath,
                    joining: partner
                )
                return try KernelSession.attach(bound, joining: partner)
            }
            return try session(device, files)
        } catch {
            throw problem(error, device.found, isJoining: partner != nil)
        }
    }

    package func adopt(
        _ id: DeviceID,
        _ descriptors: consuming DeviceDescriptors
    ) throws(Problem) -> any DeviceSession {
        let device = try usable(id)
        let files = try DescriptorCheck(
            device: id,
            cdev: device.number,
            iommu: inventory.iommuNumber()
        ).files(descriptors)
        do throws(SessionRefusal) {
            return try session(device, files)
        } catch {
            throw problem(error, device.found)
        }
    }

    package func resume(
        _ id: DeviceID,
        _ files: [KeptFile]
    ) throws(Problem) -> any DeviceSession {
        let descriptors: DeviceDescriptors?
        do throws(Errno) {
            descriptors = try KernelSession.descriptors(of: files)
        } catch {
            throw OpenDiagnosis.problem(KernelFault(operation: .duplicate, errno: error), on: id)
        }
        guard let descriptors else {
            throw Problem(
                .invalidField,
                "The files kept of \(id) are not those of one session.",
                Problem.Facts(device: id)
            )
        }
        return try adopt(id, descriptors)
    }

    package func probe(_ id: DeviceID) throws(Problem) -> MigrationSupport {
        if let device = inventory.device(id), device.record.support == .recreate {
            return .recreate
        }
        let device = try usable(id)
        let holders = holders(of: device.found)
        guard holders.isEmpty else { throw OpenDiagnosis.inUse(id, holders) }
        do throws(SessionRefusal) {
            let flags = try faulting { () throws(KernelFault) in
                // No address space: the features answer once the device is bound.
                let bound = try KernelSession.bind(
                    opening: device.cdevPath,
                    iommuPath: iommuPath,
                    joining: nil
                )
                return try attempting(.migration) { () throws(Errno) in
                    try bound.device.migrationFlags()
                }
            }
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

    // MARK: Opening

    /// A device that can be opened, with what opening it takes.
    private struct UsableDevice {
        let found: SysfsDevice
        let cdevPath: String
        let number: DeviceNumber
    }

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
        guard let cdevPath = found.record.cdevPath, let number = found.cdevNumber else {
            throw Problem(
                .deviceFailed,
                "\(id) has no character device below \(deviceDirectory)/vfio/devices: this kernel "
                    + "was built without CONFIG_VFIO_DEVICE_CDEV, or the device is used without "
                    + "an IOMMU. Ferry opens devices in no other way.",
                facts
            )
        }
        return UsableDevice(found: found, cdevPath: cdevPath, number: number)
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

    private func faulting<Result>(
        _ body: () throws(KernelFault) -> Result
    ) throws(SessionRefusal) -> Result {
        do {
            return try body()
        } catch {
            throw .fault(error)
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
        case .fault(let fault):
            var around = OpenSurroundings(isJoining: isJoining)
            switch fault.errno {
            case .busy, .invalid:
                around.holders = holders(of: device)
                around.isHeldByOurselves = HolderScan(nodes: nodes(of: device)).isHeldByOurselves()
            case .perm: around = surroundings(of: device, isJoining)
            default: break
            }
            return OpenDiagnosis.problem(fault, on: id, around)
        }
    }

    private func surroundings(of device: SysfsDevice, _ isJoining: Bool) -> OpenSurroundings {
        let siblings = inventory.siblings(of: device)
        return OpenSurroundings(
            holders: holders(of: device),
            blockingSiblings: siblings.filter(\.blocksGroup).map(\.description),
            siblingHolders: HolderScan(nodes: siblings.compactMap(\.cdev)).holders(),
            isJoining: isJoining
        )
    }

    /// Adds what was learned by opening, and what debugfs tells.
    private func completed(_ devices: [SysfsDevice]) -> [DeviceRecord] {
        let answers = debugStates.answers(for: devices.map(\.kernelName))
        return devices.map { device in
            var record = device.record
            switch answers[device.kernelName] {
            case .state(let state)?: record.debugState = state
            case .noMigration? where record.support == .unknown: record.support = .none
            case .noMigration?, nil: break
            }
            if record.support != .recreate, let support = supports.support(of: record) {
                record.support = support
            }
            return record
        }
    }
}
