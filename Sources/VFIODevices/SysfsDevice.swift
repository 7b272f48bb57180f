internal import MigrationCore
internal import SystemIO

/// One VFIO device as sysfs shows it.
struct SysfsDevice: Hashable, Sendable {
    var record: DeviceRecord
    /// The directory of the bus device, from the root.
    let directory: String
    /// The number of `/dev/vfio/devices/vfioN`, when the kernel has one for the device.
    let cdevNumber: DeviceNumber?

    /// Whether nothing confines the device's DMA: it is the kernel's mode without an IOMMU.
    ///
    /// Only the name of the node tells: the groups of mdevs read alike in sysfs.
    var isWithoutIOMMU: Bool {
        record.groupPath.flatMap(SysfsPath.lastName)?.hasPrefix("noiommu-") ?? false
    }

    /// The name the kernel's driver core has for it: debugfs and the legacy path use it.
    var kernelName: String { SysfsPath.lastName(directory) ?? "" }
}

/// The name, bus and address of a device, from what its directory says.
struct DeviceName: Hashable, Sendable {
    let id: DeviceID
    let bus: DeviceRecord.Bus
    let address: String

    /// Nil when the device sits on a bus Ferry has no name for, or has an impossible name.
    ///
    /// - Parameters:
    ///   - subsystem: the name of the bus.
    ///   - name: the name of the directory.
    ///   - api: `device_api` of an mdev's type. It, and not the bus, says what kind of device an
    ///     mdev is.
    ///   - subchannelDevice: `dev_busid` of an mdev's parent: a subchannel bound to vfio_ccw has
    ///     no other trace of its device number.
    init?(subsystem: String, name: String, api: String?, subchannelDevice: String?) {
        switch (subsystem, api) {
        case ("pci", _): self.init("pci-", .pci, name)
        case ("mdev", "vfio-ccw"), ("css", _):
            // `none` is what the kernel prints for a subchannel without a device number.
            if let number = subchannelDevice, number.hasPrefix(where: \.isHexDigit) {
                self.init("ccw-", .ccw, number)
            } else {
                self.init("ccw-", .ccw, name)
            }
        case ("mdev", "vfio-ap"): self.init("ap-", .ap, name)
        case ("mdev", _): self.init("mdev-", .mdev, name)
        case ("platform", _): self.init("platform-", .platform, name)
        case ("amba", _): self.init("amba-", .amba, name)
        case ("fsl-mc", _): self.init("fsl-mc-", .fslMC, name)
        // The kernel's own names on this bus begin with its prefix.
        case ("cdx", _): self.init(name.hasPrefix("cdx-") ? "" : "cdx-", .cdx, name)
        default: return nil
        }
    }

    private init?(_ prefix: String, _ bus: DeviceRecord.Bus, _ address: String) {
        guard let id = DeviceID(prefix + address) else { return nil }
        self.id = id
        self.bus = bus
        self.address = address
    }

    /// The directory of links where a device of this id is found by name, and that name; nil for
    /// ids that do not hold it.
    static func link(of id: DeviceID) -> (directory: String, name: String)? {
        let buses = [
            ("pci-", "pci"), ("mdev-", "mdev"), ("ap-", "mdev"), ("platform-", "platform"),
            ("amba-", "amba"), ("fsl-mc-", "fsl-mc"),
        ]
        for (prefix, bus) in buses where id.text.hasPrefix(prefix) {
            return ("sys/bus/\(bus)/devices", String(id.text.dropFirst(prefix.count)))
        }
        return id.text.hasPrefix("cdx-") ? ("sys/bus/cdx/devices", id.text) : nil
    }

    /// Whether a device of this id may be there without a link of that name: links have the names
    /// of subchannels, ids the device numbers behind them.
    static func isWithoutLink(_ id: DeviceID) -> Bool { id.text.hasPrefix("ccw-") }
}

extension String {
    fileprivate func hasPrefix(where matches: (Character) -> Bool) -> Bool {
        first.map(matches) ?? false
    }
}
