internal import MigrationCore

/// A call of the kernel that failed while a device was opened or taken over.
struct KernelFault: Error, Hashable, Sendable {
    let operation: Operation
    let errno: Errno

    /// The calls, by the kernel's names.
    enum Operation: String, Hashable, Sendable, CaseIterable {
        case openIOMMU = "open(/dev/iommu)"
        case openDevice = "open"
        case duplicate = "fcntl(F_DUPFD_CLOEXEC)"
        case bind = "VFIO_DEVICE_BIND_IOMMUFD"
        case allocate = "IOMMU_IOAS_ALLOC"
        case attach = "VFIO_DEVICE_ATTACH_IOMMUFD_PT"
        case information = "VFIO_DEVICE_GET_INFO"
        case migration = "VFIO_DEVICE_FEATURE_MIGRATION"
    }
}

/// Makes a call, and says which one it was when it fails.
func attempting<Result: ~Copyable>(
    _ operation: KernelFault.Operation,
    _ call: () throws(Errno) -> Result
) throws(KernelFault) -> Result {
    do {
        return try call()
    } catch {
        throw KernelFault(operation: operation, errno: error)
    }
}
