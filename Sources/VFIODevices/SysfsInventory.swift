internal import MigrationCore
internal import SystemIO

/// The VFIO devices of a sysfs tree: the running kernel's, or a captured one.
///
/// Every read is of a small file, bounded and confined to the tree. A device that vanishes while it
/// is read, and an entry that makes no sense, is left out; an attribute that cannot be read is nil.
struct SysfsInventory: Sendable {
    private static let entryLimit = 65_536
    private static let cdevClass = "sys/class/vfio-dev"
    private static let groupClass = "sys/class/vfio"
    private static let groups = "sys/kernel/iommu_groups"

    let tree: ConfinedTree
    /// Where the kernel's device nodes are: `/dev`.
    let deviceDirectory: String
    let hardware: HardwareIndex
    let aliases: DriverAliases

    init(
        root: String,
        deviceDirectory: String,
        hardware: HardwareIndex = HardwareIndex()
    ) throws(Errno) {
        self.tree = try ConfinedTree(root: root)
        self.deviceDirectory = deviceDirectory
        self.hardware = hardware
        self.aliases = DriverAliases(root: root)
    }

    /// Every device, those that VFIO could have too, sorted by id.
    func devices() -> [SysfsDevice] {
        let nodes = Set(tree.namesIfAny(in: Self.groupClass))
        let had = SideBySide.map(places()) { [self] places in
            let reader = reader(nodes.contains)
            return places.compactMap { reader.device(at: $0.directory, cdev: $0.cdev) }
        }
        var found: [DeviceID: SysfsDevice] = [:]
        found.reserveCapacity(had.count)
        var known: Set<String> = []
        for device in had where found[device.record.id] == nil {
            found[device.record.id] = device
            known.insert(device.kernelName)
            // A subchannel is one device with the mdev on it.
            known.insert(SysfsPath.lastName(SysfsPath.parent(device.directory)) ?? "")
        }
        let candidates = SideBySide.map(candidatePlaces(known)) { [self] places in
            let reader = reader(nodes.contains)
            return places.compactMap(reader.candidate)
        }
        for device in candidates
        where found[device.record.id] == nil && device.record.candidate?.kind != .host {
            found[device.record.id] = device
        }
        return found.values.sorted { $0.record.id < $1.record.id }
    }

    /// One device, found by its own links.
    ///
    /// Only a channel device has none by its id, so that all are looked at for one.
    func device(_ id: DeviceID) -> SysfsDevice? {
        guard let link = DeviceName.link(of: id) else {
            guard DeviceName.isWithoutLink(id) else { return nil }
            return devices().first { $0.record.id == id }
        }
        guard let target = tree.linkTargetIfAny(link.name, in: link.directory) else { return nil }
        let path = SysfsPath.resolve(target, in: link.directory)
        let reader = reader { tree.linkTargetIfAny($0, in: Self.groupClass) != nil }
        if let device = reader.device(at: path, cdev: cdevName(below: path)),
            device.record.id == id, isVFIO(device)
        {
            return device
        }
        guard let device = reader.candidate(at: path), device.record.id == id else { return nil }
        return device
    }

    /// The other devices of a device's IOMMU group, with the drivers bound to them.
    func siblings(of device: SysfsDevice) -> [GroupSibling] {
        guard let group = device.record.iommuGroup else { return [] }
        let directory = "\(Self.groups)/\(group)/devices"
        return tree.links(in: directory).compactMap { link in
            guard link.name != device.kernelName else { return nil }
            let sibling = SysfsPath.resolve(link.target, in: directory)
            return GroupSibling(
                name: link.name,
                driver: tree.linkTargetIfAny("driver", in: sibling).flatMap(SysfsPath.lastName),
                cdev: cdevName(below: sibling).map { "\(deviceDirectory)/vfio/devices/\($0)" },
                group: "\(deviceDirectory)/vfio/\(group)"
            )
        }
    }

    private func reader(_ isGroupNode: @escaping (String) -> Bool) -> SysfsDeviceReader {
        SysfsDeviceReader(self, isGroupNode: isGroupNode)
    }

    /// Why nothing can be read just now, when it is that descriptors or memory ran out.
    func exhaustion() -> Errno? {
        do {
            _ = try tree.directory(at: ".")
            return nil
        } catch {
            return error.isShortage ? error : nil
        }
    }

    /// The number of `/dev/iommu`; nil when the kernel has no iommufd.
    func iommuNumber() -> DeviceNumber? {
        tree.textIfAny("dev", in: "sys/class/misc/iommu").flatMap(DeviceNumber.init(sysfsText:))
    }

    /// The number of `/dev/vfio/vfio`; nil when the kernel has no containers.
    func containerNumber() -> DeviceNumber? {
        tree.textIfAny("dev", in: "sys/class/misc/vfio").flatMap(DeviceNumber.init(sysfsText:))
    }

    /// The number of the node of a device's group; nil when there is none.
    func groupNumber(of device: SysfsDevice) -> DeviceNumber? {
        device.record.groupPath.flatMap(SysfsPath.lastName)
            .flatMap { tree.textIfAny("dev", in: "\(Self.groupClass)/\($0)") }
            .flatMap(DeviceNumber.init(sysfsText:))
    }

    // MARK: Finding

    /// Where a device is, and the name of its character device.
    private struct Place: Sendable {
        let directory: String
        let cdev: String?
    }

    /// Kernels since 6.1 register every VFIO device in a class of its own; older ones show only
    /// the groups.
    private func places() -> [Place] {
        guard tree.hasDirectory(at: Self.cdevClass) else { return groupPlaces() }
        return tree.links(in: Self.cdevClass).compactMap { link in
            let path = SysfsPath.resolve(link.target, in: Self.cdevClass)
            guard path.hasSuffix("/vfio-dev/\(link.name)") else { return nil }
            return Place(directory: SysfsPath.parent(path, 2), cdev: link.name)
        }
    }

    private func groupPlaces() -> [Place] {
        var places: [Place] = []
        for node in tree.namesIfAny(in: Self.groupClass) {
            let group = node.hasPrefix("noiommu-") ? String(node.dropFirst(8)) : node
            let directory = "\(Self.groups)/\(group)/devices"
            for link in tree.links(in: directory) where places.count < Self.entryLimit {
                let device = SysfsPath.resolve(link.target, in: directory)
                if hasVFIODriver(device) { places.append(Place(directory: device, cdev: nil)) }
            }
        }
        return places
    }

    /// Where devices are that VFIO may have one day: all of the buses it has drivers for, but those
    /// whose names are known.
    private func candidatePlaces(_ known: Set<String>) -> [String] {
        ["pci", "css", "platform", "amba", "fsl-mc", "cdx"].flatMap { bus in
            let directory = "sys/bus/\(bus)/devices"
            return tree.links(in: directory) { !known.contains($0) }.prefix(Self.entryLimit)
                .map { SysfsPath.resolve($0.target, in: directory) }
        }
    }

    private func hasVFIODriver(_ directory: String) -> Bool {
        DriverFacts.isVFIO(
            tree.linkTargetIfAny("driver", in: directory).flatMap(SysfsPath.lastName),
            subsystem: tree.linkTargetIfAny("subsystem", in: directory)
                .flatMap(SysfsPath.lastName)
        )
    }

    private func isVFIO(_ device: SysfsDevice) -> Bool {
        if cdevName(below: device.directory) != nil { return true }
        // A kernel that registers VFIO devices in a class shows every one of them there.
        return device.record.groupPath != nil && !tree.hasDirectory(at: Self.cdevClass)
            && hasVFIODriver(device.directory)
    }

    private func cdevName(below directory: String) -> String? {
        tree.namesIfAny(in: directory + "/vfio-dev").first { $0.hasPrefix("vfio") }
    }
}

/// Another device of an IOMMU group: VFIO gets all of a group or nothing.
struct GroupSibling: Hashable, Sendable {
    let name: String
    let driver: String?
    /// The path of its character device, when it has one.
    let cdev: String?
    /// The path its group has, when VFIO has one: whoever has that open has all of the group.
    let group: String

    /// Whether its driver owns the group's DMA.
    var blocksGroup: Bool { driver.map(DriverFacts.blocksGroup) ?? false }

    /// `0000:01:00.0 (nvme)`.
    var description: String { "\(name) (\(driver ?? "no driver"))" }
}
