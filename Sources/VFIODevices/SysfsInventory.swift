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

    init(root: String, deviceDirectory: String) throws(Errno) {
        self.tree = try ConfinedTree(root: root)
        self.deviceDirectory = deviceDirectory
    }

    /// Every device, sorted by id.
    func devices() -> [SysfsDevice] {
        let groupNodes = Set(tree.namesIfAny(in: Self.groupClass))
        var found: [DeviceID: SysfsDevice] = [:]
        for place in places() {
            guard let device = device(at: place, groupNodes.contains),
                found[device.record.id] == nil
            else {
                continue
            }
            found[device.record.id] = device
        }
        return found.values.sorted { $0.record.id < $1.record.id }
    }

    /// One device, found by its own links where its id names them.
    func device(_ id: DeviceID) -> SysfsDevice? {
        guard let link = DeviceName.link(of: id) else {
            return devices().first { $0.record.id == id }
        }
        guard let target = tree.linkTargetIfAny(link.name, in: link.directory) else { return nil }
        let directory = SysfsPath.resolve(target, in: link.directory)
        let place = Place(directory: directory, cdev: cdevName(below: directory))
        let device = device(at: place) { tree.linkTargetIfAny($0, in: Self.groupClass) != nil }
        guard let device, device.record.id == id, isVFIO(device) else { return nil }
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
                cdev: cdevName(below: sibling).map { "\(deviceDirectory)/vfio/devices/\($0)" }
            )
        }
    }

    /// Why nothing can be read just now, when it is that descriptors or memory ran out.
    func exhaustion() -> Errno? {
        do {
            _ = try tree.directory(at: ".")
            return nil
        } catch {
            return [.tooManyOpenFiles, .tooManyFiles, .noMemory].contains(error) ? error : nil
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
    private struct Place {
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

    // MARK: Reading one device

    private func device(at place: Place, _ isGroupNode: (String) -> Bool) -> SysfsDevice? {
        guard let directory = try? tree.directory(at: place.directory),
            let subsystem = lastName(of: directory, "subsystem"),
            let name = SysfsPath.lastName(place.directory),
            let identity = deviceName(subsystem, name, place.directory)
        else { return nil }
        var record = DeviceRecord(
            id: identity.id,
            backend: .kernel,
            bus: identity.bus,
            address: identity.address
        )
        record.driver = lastName(of: directory, "driver")
        record.iommuGroup = lastName(of: directory, "iommu_group")
        record.groupPath = groupPath(record.iommuGroup, isGroupNode)
        record.vendorID = hexadecimal(of: directory, "vendor")
        record.deviceID = hexadecimal(of: directory, "device")
        record.subsystemVendorID = hexadecimal(of: directory, "subsystem_vendor")
        record.subsystemDeviceID = hexadecimal(of: directory, "subsystem_device")
        record.numaNode = numaNode(of: directory)
        if subsystem == "mdev" {
            record.parent = SysfsPath.lastName(SysfsPath.parent(place.directory))
            record.mdevType = lastName(of: directory, "mdev_type")
        }
        let number = place.cdev.flatMap { cdevNumber($0, below: place.directory) }
        if number != nil, let cdev = place.cdev {
            record.cdevPath = "\(deviceDirectory)/vfio/devices/\(cdev)"
        }
        record.support = DriverFacts.support(bus: record.bus, driver: record.driver)
        return SysfsDevice(record: record, directory: place.directory, cdevNumber: number)
    }

    private func deviceName(_ subsystem: String, _ name: String, _ path: String) -> DeviceName? {
        guard subsystem == "mdev" else {
            return DeviceName(subsystem: subsystem, name: name, api: nil, subchannelDevice: nil)
        }
        return DeviceName(
            subsystem: subsystem,
            name: name,
            api: tree.textIfAny("device_api", in: path + "/mdev_type"),
            subchannelDevice: tree.textIfAny("dev_busid", in: SysfsPath.parent(path))
        )
    }

    private func numaNode(of directory: borrowing Directory) -> Int? {
        guard let text = try? directory.text(of: "numa_node", limit: 32), let node = Int(text)
        else {
            return nil
        }
        // −1 is the kernel's word for no node.
        return node < 0 ? nil : node
    }

    private func lastName(of directory: borrowing Directory, _ link: String) -> String? {
        (try? directory.linkTarget(of: link)).flatMap(SysfsPath.lastName)
    }

    private func hexadecimal(of directory: borrowing Directory, _ name: String) -> UInt32? {
        guard let text = try? directory.text(of: name, limit: 32), text.hasPrefix("0x") else {
            return nil
        }
        return UInt32(text.dropFirst(2), radix: 16)
    }

    private func groupPath(_ group: String?, _ isNode: (String) -> Bool) -> String? {
        guard let group else { return nil }
        // Only a node of this name is a group without an IOMMU; mdevs' groups merely read so.
        for node in [group, "noiommu-\(group)"] where isNode(node) {
            return "\(deviceDirectory)/vfio/\(node)"
        }
        return nil
    }

    private func cdevNumber(_ cdev: String, below directory: String) -> DeviceNumber? {
        tree.textIfAny("dev", in: "\(directory)/vfio-dev/\(cdev)").flatMap(
            DeviceNumber.init(sysfsText:)
        )
    }
}

/// Another device of an IOMMU group: VFIO gets all of a group or nothing.
struct GroupSibling: Hashable, Sendable {
    let name: String
    let driver: String?
    /// The path of its character device, when it has one.
    let cdev: String?

    /// Whether its driver owns the group's DMA.
    var blocksGroup: Bool { driver.map(DriverFacts.blocksGroup) ?? false }

    /// `0000:01:00.0 (nvme)`.
    var description: String { "\(name) (\(driver ?? "no driver"))" }
}
