internal import CVFIO
internal import Glibc
internal import MigrationCore
internal import SystemIO

/// The ioctls on an open container, `/dev/vfio/vfio`.
///
/// The container has the DMA mappings of every group in it.
struct ContainerFile: Sendable {
    let file: SharedDescriptor

    init(_ descriptor: consuming FileDescriptor) { self.file = SharedDescriptor(descriptor) }

    /// Opens a container and makes sure that it speaks type1 v2.
    ///
    /// It is empty, and has no IOMMU before a group is in it.
    init(opening path: String) throws(SessionRefusal) {
        self.init(
            try attempting(.openContainer) { () throws(Errno) in
                try FileDescriptor(opening: path, O_RDWR)
            }
        )
        guard try attempting(.apiVersion, apiVersion) == CVFIO_API_VERSION else {
            throw .noType1
        }
        guard try attempting(.checkExtension, hasType1v2) else { throw .noType1 }
    }

    /// `VFIO_GET_API_VERSION`.
    func apiVersion() throws(Errno) -> Int32 {
        try file.descriptor.control(CVFIO_GET_API_VERSION, value: 0)
    }

    /// `VFIO_CHECK_EXTENSION`: whether the kernel has the type 1 IOMMU, in its second version.
    func hasType1v2() throws(Errno) -> Bool {
        try file.descriptor.control(CVFIO_CHECK_EXTENSION, value: Int(CVFIO_TYPE1v2_IOMMU)) > 0
    }

    /// `VFIO_SET_IOMMU`: type 1 v2, once there is a group in the container.
    func setIOMMU() throws(Errno) {
        _ = try file.descriptor.control(CVFIO_SET_IOMMU, value: Int(CVFIO_TYPE1v2_IOMMU))
    }

    /// Whether two values are of the same open container.
    func isSame(as other: Self) -> Bool { file === other.file }
}
