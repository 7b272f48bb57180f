internal import MigrationCore
internal import MigrationPorts
internal import SystemIO

/// The names of a session's files while a service manager holds them.
extension KernelSession {
    static let deviceFileName = "device"
    private static let iommuPrefix = "iommufd"

    /// `iommufd-3` for a device attached to page table 3, `iommufd` for one attached to none.
    static func iommuFileName(_ pageTableID: UInt32?) -> String {
        pageTableID.map { "\(iommuPrefix)-\($0)" } ?? iommuPrefix
    }

    /// The descriptors of kept files; nil when the files are not those of one session.
    static func descriptors(of files: [KeptFile]) throws(Errno) -> DeviceDescriptors? {
        guard files.count == 2, let device = files.first(where: { $0.name == deviceFileName }),
            let iommu = files.first(where: { $0.name.hasPrefix(iommuPrefix) })
        else { return nil }
        let suffix = iommu.name.dropFirst(iommuPrefix.count)
        let pageTableID = UInt32(suffix.dropFirst())
        guard suffix.isEmpty || pageTableID != nil else { return nil }
        return DeviceDescriptors(
            device: try device.file.descriptor.duplicate(),
            iommufd: try iommu.file.descriptor.duplicate(),
            pageTableID: pageTableID
        )
    }
}
