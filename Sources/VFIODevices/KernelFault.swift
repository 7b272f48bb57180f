internal import MigrationCore

/// A call of the kernel that failed while a device was opened or taken over.
struct KernelFault: Error, Hashable, Sendable {
    let operation: Operation
    let errno: Errno

    /// The calls, by the kernel's names.
    enum Operation: String, Hashable, Sendable, CaseIterable {
        case openIOMMU = "open(/dev/iommu)"
        case openDevice = "open"
        case openContainer = "open(/dev/vfio/vfio)"
        case openGroup = "open(group)"
        case duplicate = "fcntl(F_DUPFD_CLOEXEC)"
        case bind = "VFIO_DEVICE_BIND_IOMMUFD"
        case allocate = "IOMMU_IOAS_ALLOC"
        case attach = "VFIO_DEVICE_ATTACH_IOMMUFD_PT"
        case apiVersion = "VFIO_GET_API_VERSION"
        case checkExtension = "VFIO_CHECK_EXTENSION"
        case groupStatus = "VFIO_GROUP_GET_STATUS"
        case setContainer = "VFIO_GROUP_SET_CONTAINER"
        case setIOMMU = "VFIO_SET_IOMMU"
        case deviceFile = "VFIO_GROUP_GET_DEVICE_FD"
        case information = "VFIO_DEVICE_GET_INFO"
        case migration = "VFIO_DEVICE_FEATURE_MIGRATION"
    }
}

/// Why no session can be made of a device.
enum SessionRefusal: Error, Hashable, Sendable {
    case fault(KernelFault)
    /// Migration flags outside the four sets the uAPI defines.
    case meaningless(MigrationFlags)
    /// The device is open in another session of this process.
    case heldByOurselves
    /// A device of the IOMMU group is not VFIO's.
    case notViable
    /// The kernel's containers are not those of type 1 v2.
    case noType1
    /// The device's group is open in this process, in another container than the companion's.
    case otherContainer
}

/// Makes a call, and says which one it was when it fails.
func attempting<Result: ~Copyable>(
    _ operation: KernelFault.Operation,
    _ call: () throws(Errno) -> Result
) throws(SessionRefusal) -> Result {
    do {
        return try call()
    } catch {
        throw .fault(KernelFault(operation: operation, errno: error))
    }
}
