internal import Dispatch
internal import Glibc
internal import MigrationCore
internal import MigrationPorts
internal import SystemIO

extension KernelSession {
    /// Opens a device by its cdev and binds it: to the companion's iommufd, or to a new one.
    ///
    /// The first open of a PCI device resets it; closing what a failed attempt opened does too.
    static func bind(
        opening cdevPath: String,
        iommuPath: String,
        joining companion: IOMMUFile?
    ) throws(SessionRefusal) -> (device: DeviceFile, iommu: IOMMUFile) {
        let iommu =
            if let companion {
                companion
            } else {
                IOMMUFile(
                    try attempting(.openIOMMU) { () throws(Errno) in
                        try FileDescriptor(opening: iommuPath, O_RDWR)
                    }
                )
            }
        let device = DeviceFile(
            try attempting(.openDevice) { () throws(Errno) in
                try FileDescriptor(opening: cdevPath, O_RDWR)
            }
        )
        try attempting(.bind) { () throws(Errno) in try device.bind(to: iommu) }
        return (device, iommu)
    }

    /// Opens a device by its cdev, in the companion's address space, or in a new and empty one.
    static func files(
        opening cdevPath: String,
        iommuPath: String,
        joining companion: (iommu: IOMMUFile, pageTableID: UInt32?)?
    ) throws(SessionRefusal) -> Files {
        let (device, iommu) = try bind(
            opening: cdevPath,
            iommuPath: iommuPath,
            joining: companion?.iommu
        )
        let pageTableID: UInt32? =
            if let companion {
                // A companion without an address space maps nothing, and neither shall this one.
                companion.pageTableID
            } else {
                try attempting(.allocate, iommu.allocateAddressSpace)
            }
        if let pageTableID {
            try attempting(.attach) { () throws(Errno) in
                try device.attach(toPageTable: pageTableID)
            }
        }
        return Files(device: device, space: .iommufd(iommu, pageTableID: pageTableID))
    }

    /// Opens a device by its group, which is in the companion's container or in a new one.
    ///
    /// The first file of a PCI device resets it.
    static func files(of membership: GroupMembership) throws(SessionRefusal) -> Files {
        let device = try attempting(.deviceFile, membership.openDevice)
        return Files(device: device, space: .group(membership))
    }

    /// Asks a bound device what it is and makes a session of it.
    static func session(
        _ id: DeviceID,
        _ files: Files,
        signalsOn queue: DispatchQueue
    ) throws(SessionRefusal) -> KernelSession {
        let info = try attempting(.information, files.device.info)
        let flags = try attempting(.migration, files.device.migrationFlags)
        return KernelSession(
            id,
            files,
            support: try migrationSupport(flags),
            signals: DeviceSignals(of: files.device, info, on: queue)
        )
    }

    /// The answer of `VFIO_DEVICE_FEATURE_MIGRATION`, if it is one the uAPI gives a meaning.
    static func migrationSupport(
        _ flags: MigrationFlags?
    ) throws(SessionRefusal) -> MigrationSupport {
        guard let flags else { return .none }
        guard MigrationFlags.meaningful.contains(flags) else { throw .meaningless(flags) }
        return .stateStream(flags)
    }
}
