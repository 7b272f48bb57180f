internal import MigrationCore
internal import MigrationPorts
internal import SystemIO

/// A session's files on their way to the device's user, or to a service manager that holds them.
extension KernelSession {
    private static let deviceFileName = "device"
    private static let iommuPrefix = "iommufd"
    private static let groupFileName = "group"
    private static let containerFileName = "container"

    func duplicateDescriptors() throws(Errno) -> DeviceDescriptors? {
        let files = try open()
        switch files.space {
        case .iommufd(let iommu, let pageTableID):
            return DeviceDescriptors(
                .cdev(pageTableID: pageTableID),
                try files.device.file.descriptor.duplicate(),
                try iommu.file.descriptor.duplicate()
            )
        case .group(let membership):
            // No device file: its user gets one of its own from the group, of the device it names.
            let files = try membership.group.files()
            return DeviceDescriptors(
                .group,
                try files.group.file.descriptor.duplicate(),
                try files.container.file.descriptor.duplicate()
            )
        }
    }

    /// `device` and `iommufd-3`, or `device`, `group` and `container`.
    func keptFiles() throws(Errno) -> [KeptFile] {
        let files = try open()
        let device = KeptFile(name: Self.deviceFileName, file: files.device.file)
        switch files.space {
        case .iommufd(let iommu, let pageTableID):
            return [device, KeptFile(name: Self.iommuFileName(pageTableID), file: iommu.file)]
        case .group(let membership):
            let files = try membership.group.files()
            return [
                device, KeptFile(name: Self.groupFileName, file: files.group.file),
                KeptFile(name: Self.containerFileName, file: files.container.file),
            ]
        }
    }

    /// `iommufd-3` for a device attached to page table 3, `iommufd` for one attached to none.
    static func iommuFileName(_ pageTableID: UInt32?) -> String {
        pageTableID.map { "\(iommuPrefix)-\($0)" } ?? iommuPrefix
    }

    /// The descriptors of kept files; nil when the files are not those of one session.
    ///
    /// Of a device that was opened by its group the kept device file is none of them: it keeps the
    /// content until the session has another one from the group.
    static func descriptors(of files: [KeptFile]) throws(Errno) -> DeviceDescriptors? {
        let named = Dictionary(files.map { ($0.name, $0.file) }) { first, _ in first }
        guard named.count == files.count, let device = named[deviceFileName] else { return nil }
        if files.count == 3, let group = named[groupFileName],
            let container = named[containerFileName]
        {
            return DeviceDescriptors(
                .group,
                try group.descriptor.duplicate(),
                try container.descriptor.duplicate()
            )
        }
        guard files.count == 2, let iommu = files.first(where: { $0.name.hasPrefix(iommuPrefix) })
        else { return nil }
        let suffix = iommu.name.dropFirst(iommuPrefix.count)
        let pageTableID = UInt32(suffix.dropFirst())
        guard suffix.isEmpty || (suffix.first == "-" && pageTableID != nil) else { return nil }
        return DeviceDescriptors(
            .cdev(pageTableID: pageTableID),
            try device.descriptor.duplicate(),
            try iommu.file.descriptor.duplicate()
        )
    }

    /// Whether the kept device file is one of an open VFIO device.
    static func haveDevice(_ files: [KeptFile]) -> Bool {
        guard let kept = files.first(where: { $0.name == deviceFileName }),
            let duplicate = try? kept.file.descriptor.duplicate()
        else { return false }
        return (try? DeviceFile(duplicate).info()) != nil
    }
}
