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
        joining companion: Files?
    ) throws(KernelFault) -> Files {
        let iommu =
            if let companion {
                companion.iommu
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
        return Files(device: device, iommu: iommu, pageTableID: nil)
    }

    /// Attaches a bound device to an address space: the companion's, or a new and empty one.
    static func attach(
        _ files: Files,
        joining companion: Files?
    ) throws(KernelFault) -> Files {
        let pageTableID: UInt32? =
            if let companion {
                // A companion without an address space maps nothing, and neither shall this one.
                companion.pageTableID
            } else {
                try attempting(.allocate) { () throws(Errno) in
                    try files.iommu.allocateAddressSpace()
                }
            }
        if let pageTableID {
            try attempting(.attach) { () throws(Errno) in
                try files.device.attach(toPageTable: pageTableID)
            }
        }
        return Files(device: files.device, iommu: files.iommu, pageTableID: pageTableID)
    }

    /// Asks a bound device what it is and makes a session of it.
    static func session(
        _ id: DeviceID,
        _ files: Files,
        signalsOn queue: DispatchQueue
    ) throws(SessionRefusal) -> KernelSession {
        let info: DeviceInfo
        let flags: MigrationFlags?
        do throws(KernelFault) {
            info = try attempting(.information) { () throws(Errno) in try files.device.info() }
            flags = try attempting(.migration) { () throws(Errno) in
                try files.device.migrationFlags()
            }
        } catch {
            throw .fault(error)
        }
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

/// Why an open device makes no session.
enum SessionRefusal: Error, Hashable, Sendable {
    case fault(KernelFault)
    /// Migration flags outside the four sets the uAPI defines.
    case meaningless(MigrationFlags)
}
