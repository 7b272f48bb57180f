internal import CVFIO
internal import MigrationCore
internal import SystemIO

/// The ioctls on an open VFIO group, `/dev/vfio/42`.
///
/// The kernel lets a group be open once; duplicates are the same open file.
struct GroupFile: Sendable {
    let file: SharedDescriptor

    init(_ descriptor: consuming FileDescriptor) { self.file = SharedDescriptor(descriptor) }

    /// `VFIO_GROUP_GET_STATUS`: whether every device of the group is VFIO's or nobody's.
    func isViable() throws(Errno) -> Bool {
        var status = cvfio_group_status()
        status.argsz = byteCount(of: status)
        try file.call(CVFIO_GROUP_GET_STATUS, &status)
        return status.flags & CVFIO_GROUP_FLAGS_VIABLE != 0
    }

    /// `VFIO_GROUP_SET_CONTAINER`: from now on the group has the container's DMA mappings.
    func join(_ container: ContainerFile) throws(Errno) {
        var number = container.file.descriptor.raw
        try file.call(CVFIO_GROUP_SET_CONTAINER, &number)
    }

    /// `VFIO_GROUP_UNSET_CONTAINER`: the group has no DMA mapping any more.
    ///
    /// EBUSY while anybody has a device of the group open.
    func leaveContainer() throws(Errno) {
        try unsafe file.descriptor.control(CVFIO_GROUP_UNSET_CONTAINER, nil)
    }

    /// `VFIO_GROUP_GET_DEVICE_FD`: a file of its own for a device of the group.
    ///
    /// The first one of a device opens it, and resets a PCI function. ENODEV when the group has no
    /// device of that name; EINVAL while the group is in no container with an IOMMU.
    func device(_ name: String) throws(Errno) -> DeviceFile {
        var text = Array(name.utf8) + [0]
        let number = try unsafe text.withUnsafeMutableBufferPointer { text throws(Errno) in
            try unsafe file.descriptor.control(
                CVFIO_GROUP_GET_DEVICE_FD,
                UnsafeMutableRawPointer(text.baseAddress)
            )
        }
        return DeviceFile(FileDescriptor(owning: number))
    }
}
