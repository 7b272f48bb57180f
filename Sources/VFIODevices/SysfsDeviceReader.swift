internal import MigrationCore
internal import SystemIO

/// Reads what sysfs tells of one device after another, for one look at the tree: what several
/// devices have in common is read once.
final class SysfsDeviceReader {
    let tree: ConfinedTree
    private let deviceDirectory: String
    private let hardware: HardwareIndex
    private let aliases: DriverAliases
    private let groups: GroupReader
    private let isGroupNode: (String) -> Bool
    private var mediatedTypes: [String: (name: String?, api: String?)] = [:]

    init(_ inventory: SysfsInventory, isGroupNode: @escaping (String) -> Bool) {
        tree = inventory.tree
        deviceDirectory = inventory.deviceDirectory
        hardware = inventory.hardware
        aliases = inventory.aliases
        groups = GroupReader(tree)
        self.isGroupNode = isGroupNode
    }

    /// A device that VFIO has.
    ///
    /// `cdev` is the name of its character device, if there is one.
    func device(at path: String, cdev: String?) -> SysfsDevice? {
        guard let directory = try? tree.directory(at: path), var found = begin(directory, path)
        else {
            return nil
        }
        let number = cdev.flatMap { cdevNumber($0, of: directory) }
        found.record.change { details in
            if number != nil, let cdev {
                details.cdevPath = "\(deviceDirectory)/vfio/devices/\(cdev)"
            }
            details.groupPath = groupPath(details.iommuGroup)
            let known = DriverFacts.support(bus: details.bus, driver: details.driver)
            details.support = known ?? .unknown
            details.supportSource = known.map { _ in .inferred }
        }
        return SysfsDevice(record: found.record, directory: path, cdevNumber: number)
    }

    /// A device that VFIO could have and does not, whoever has it; nil for one that VFIO has no
    /// driver for.
    func candidate(at path: String) -> SysfsDevice? {
        guard let directory = try? tree.directory(at: path), var found = begin(directory, path),
            let wanted = Candidate(
                found.record,
                found.uevent,
                override(of: directory, found.uevent),
                aliases
            )
        else { return nil }
        found.record.change { details in
            details.deviceAPI = wanted.api
            details.candidate = CandidateFacts(
                kind: wanted.kind,
                driver: wanted.driver,
                steps: wanted.steps(details)
            )
            let known = DriverFacts.support(bus: details.bus, driver: wanted.driver)
            details.support = known ?? .unknown
            details.supportSource = known.map { _ in .inferred }
        }
        return SysfsDevice(record: found.record, directory: path, cdevNumber: nil)
    }

    // MARK: What all devices have

    private func begin(
        _ directory: borrowing Directory,
        _ path: String
    ) -> (record: DeviceRecord, uevent: SysfsUevent)? {
        guard let subsystem = lastName(of: directory, "subsystem"),
            let name = SysfsPath.lastName(path),
            let identity = deviceName(subsystem, name, path)
        else { return nil }
        let uevent = SysfsUevent((try? directory.text(of: "uevent")) ?? "")
        var record = DeviceRecord(
            id: identity.id,
            backend: .kernel,
            bus: identity.bus,
            address: identity.address
        )
        record.change { details in
            details.driver = uevent.driver ?? lastName(of: directory, "driver")
            details.iommuGroup = lastName(of: directory, "iommu_group")
            details.isolation = details.iommuGroup.map { groups.facts(of: $0, for: name) }
            details.numaNode = numaNode(of: directory)
            details.deviceAPI = "vfio-\(subsystem)"
            switch subsystem {
            case "pci", "cdx": readFunction(directory, uevent, &details)
            case "mdev": readMediated(directory, path, &details)
            case "css":
                details.subchannel = SubchannelReader.facts(
                    of: directory,
                    name,
                    deviceNumber: details.address
                )
            default: break
            }
        }
        return (record, uevent)
    }

    private func deviceName(_ subsystem: String, _ name: String, _ path: String) -> DeviceName? {
        switch subsystem {
        case "mdev":
            DeviceName(
                subsystem: subsystem,
                name: name,
                api: tree.textIfAny("device_api", in: path + "/mdev_type"),
                subchannelDevice: tree.textIfAny("dev_busid", in: SysfsPath.parent(path))
            )
        case "css":
            DeviceName(
                subsystem: subsystem,
                name: name,
                api: "vfio-ccw",
                subchannelDevice: SubchannelReader.deviceNumber(at: path, tree)
            )
        default:
            DeviceName(subsystem: subsystem, name: name, api: nil, subchannelDevice: nil)
        }
    }

    private func groupPath(_ group: String?) -> String? {
        guard let group else { return nil }
        // Only a node of this name is a group without an IOMMU; mdevs' groups merely read so.
        for node in [group, "noiommu-\(group)"] where isGroupNode(node) {
            return "\(deviceDirectory)/vfio/\(node)"
        }
        return nil
    }

    private func cdevNumber(_ cdev: String, of directory: borrowing Directory) -> DeviceNumber? {
        guard SysfsPath.isName(cdev) else { return nil }
        return (try? directory.text(below: "vfio-dev/\(cdev)/dev", limit: 32)).flatMap(
            DeviceNumber.init(sysfsText:)
        )
    }

    private func numaNode(of directory: borrowing Directory) -> Int? {
        guard let text = try? directory.text(of: "numa_node", limit: 32), let node = Int(text)
        else { return nil }
        // −1 is the kernel's word for no node.
        return node < 0 ? nil : node
    }

    private func override(of directory: borrowing Directory, _ uevent: SysfsUevent) -> String? {
        // The kernel reads it under the device's lock, which an unbinding holds for as long as
        // somebody has the device open. By then the link to the driver is gone, but not the name.
        guard uevent.driver == nil || lastName(of: directory, "driver") != nil else { return nil }
        return Self.override(try? directory.text(of: "driver_override", limit: 128))
    }

    /// The driver that `driver_override` names; `(null)` is what the kernel prints where none is.
    static func override(_ text: String?) -> String? {
        text == "(null)" || text == "" ? nil : text
    }

    private func lastName(of directory: borrowing Directory, _ link: String) -> String? {
        (try? directory.linkTarget(of: link)).flatMap(SysfsPath.lastName)
    }

    // MARK: PCI and CDX functions

    private func readFunction(
        _ directory: borrowing Directory,
        _ uevent: SysfsUevent,
        _ details: inout DeviceRecord.Details
    ) {
        if let id = uevent.pciID {
            (details.vendorID, details.deviceID) = id
        } else {
            details.vendorID = hexadecimal(of: directory, "vendor")
            details.deviceID = hexadecimal(of: directory, "device")
        }
        if let id = uevent.pciSubsystemID {
            (details.subsystemVendorID, details.subsystemDeviceID) = id
        } else {
            details.subsystemVendorID = hexadecimal(of: directory, "subsystem_vendor")
            details.subsystemDeviceID = hexadecimal(of: directory, "subsystem_device")
        }
        guard details.bus == .pci else { return }
        var pci = PCIFacts()
        pci.classCode = uevent.pciClass ?? hexadecimal(of: directory, "class")
        pci.powerState = try? directory.text(of: "power_state", limit: 32)
        let methods = try? directory.text(of: "reset_method", limit: 256)
        pci.resetMethods = methods?.split(separator: " ").map(String.init) ?? []
        pci.role = role(of: directory)
        details.pci = pci
        details.names = hardware.names(
            vendor: details.vendorID,
            device: details.deviceID,
            classCode: pci.classCode
        )
    }

    private func role(of directory: borrowing Directory) -> PCIFacts.Role {
        if let physical = lastName(of: directory, "physfn") { return .virtual(of: physical) }
        guard let text = try? directory.text(of: "sriov_totalvfs", limit: 32),
            let limit = Int(text), limit > 0
        else { return .plain }
        let names = (try? directory.names().filter { $0.hasPrefix("virtfn") }) ?? []
        // By number: the names sort as text.
        let functions = names.sorted { ($0.utf8.count, $0) < ($1.utf8.count, $1) }
            .compactMap { lastName(of: directory, $0) }
        return .physical(limit: limit, functions: functions)
    }

    private func hexadecimal(of directory: borrowing Directory, _ name: String) -> UInt32? {
        guard let text = try? directory.text(of: name, limit: 32), text.hasPrefix("0x") else {
            return nil
        }
        return UInt32(text.dropFirst(2), radix: 16)
    }

    // MARK: Mediated devices

    private func readMediated(
        _ directory: borrowing Directory,
        _ path: String,
        _ details: inout DeviceRecord.Details
    ) {
        let parentPath = SysfsPath.parent(path)
        let type = lastName(of: directory, "mdev_type")
        let known = mediatedType(of: directory, path)
        details.deviceAPI = known?.api
        details.mediated = MediatedFacts(
            parent: SysfsPath.lastName(parentPath) ?? "",
            type: type,
            typeName: known?.name
        )
        switch details.bus {
        case .ccw:
            if let parent = try? tree.directory(at: parentPath) {
                let name = SysfsPath.lastName(parentPath) ?? ""
                details.subchannel = SubchannelReader.facts(
                    of: parent,
                    name,
                    deviceNumber: details.address
                )
            }
        case .ap: details.matrix = MatrixFacts(of: directory)
        default: break
        }
    }

    private func mediatedType(
        of directory: borrowing Directory,
        _ path: String
    ) -> (name: String?, api: String?)? {
        guard let target = try? directory.linkTarget(of: "mdev_type") else { return nil }
        let type = SysfsPath.resolve(target, in: path)
        if let known = mediatedTypes[type] { return known }
        let read = (
            name: tree.textIfAny("name", in: type), api: tree.textIfAny("device_api", in: type)
        )
        mediatedTypes[type] = read
        return read
    }
}
