internal import CVFIO
internal import MigrationCore
internal import SystemIO

/// The ioctls on an open iommufd.
struct IOMMUFile: Sendable {
    let file: SharedDescriptor

    init(_ descriptor: consuming FileDescriptor) { self.file = SharedDescriptor(descriptor) }

    /// `IOMMU_IOAS_ALLOC`: a new, empty address space; it goes with the iommufd.
    func allocateAddressSpace() throws(Errno) -> UInt32 {
        var allocate = cvfio_iommu_ioas_alloc()
        allocate.size = byteCount(of: allocate)
        try file.call(CVFIO_IOMMU_IOAS_ALLOC, &allocate)
        return allocate.out_ioas_id
    }
}
