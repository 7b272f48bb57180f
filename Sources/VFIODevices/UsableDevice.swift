internal import MigrationCore
internal import MigrationPorts
internal import SystemIO

/// A device that can be opened, with the ways there are to it.
struct UsableDevice: Sendable {
    let found: SysfsDevice
    /// Its character device.
    let cdevPath: String?
    let group: Group?
    /// Whether the host has an iommufd, without which no character device can be bound.
    let hasIOMMU: Bool

    /// The device's IOMMU group: its node, and what this process has open of it.
    struct Group: Sendable {
        let path: String
        let shared: SharedGroup
    }

    /// How a device is opened.
    enum Way: Sendable {
        case cdev(path: String)
        case group(Group)
    }

    var id: DeviceID { found.record.id }

    /// The companion's way; without one by the character device where that works.
    ///
    /// A group that is open already keeps the character devices in it from being bound. Throws
    /// `incompatible` when the device cannot be opened as the companion was.
    func way(joining companion: AddressSpace?) throws(Problem) -> Way {
        switch companion {
        case .iommufd?:
            if let cdevPath { return .cdev(path: cdevPath) }
            throw mixed("its character device, which \(id) does not have")
        case .group?:
            if let group { return .group(group) }
            throw mixed("its IOMMU group, and \(id) has no group to be opened by")
        case nil: return try ownWay()
        }
    }

    private func ownWay() throws(Problem) -> Way {
        if let group, !hasIOMMU || cdevPath == nil || group.shared.isOpen { return .group(group) }
        if let cdevPath { return .cdev(path: cdevPath) }
        throw Problem(
            .deviceFailed,
            "\(id) has neither a character device nor an IOMMU group to be opened by.",
            Problem.Facts(device: id)
        )
    }

    private func mixed(_ way: String) -> Problem {
        Problem(
            .incompatible,
            "\(id) cannot join the address space of the other device: that one was opened by "
                + "\(way).",
            Problem.Facts(device: id)
        )
    }
}
