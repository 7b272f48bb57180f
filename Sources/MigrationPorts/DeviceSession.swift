package import MigrationCore
package import SystemIO

/// One open and bound device, as raw as the kernel's ABI.
///
/// Calls may block for seconds and may come from any thread; the device's own lock serialises them.
/// The rules of use (GET before SET, what becomes of streams) are kept in one place above,
/// `JobEngine.DrivenDevice`.
package protocol DeviceSession: AnyObject, Sendable {
    var device: DeviceID { get }

    /// The answer of `VFIO_DEVICE_FEATURE_MIGRATION`, read when the device was opened: a state
    /// stream with its flags, or `none` for ENOTTY.
    var support: MigrationSupport { get }

    /// GET of `VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE`.
    func state() throws(Errno) -> ReportedState

    /// SET of `VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE`.
    ///
    /// Returns the stream when the kernel returned a descriptor, nil for data_fd −1.
    func set(_ state: DeviceState) throws(Errno) -> (any MigrationStream)?

    /// `VFIO_DEVICE_FEATURE_MIG_DATA_SIZE`: an estimate of the bytes STOP_COPY would give.
    func stopCopyByteCount() throws(Errno) -> UInt64

    /// Takes the device out of its address space: no DMA mapping is left to it.
    ///
    /// Of a device that is attached to nothing too. Only for a device that is given up, for it may
    /// lose its content by this, and answer ENODEV until it is reset (decision 0014). EBUSY when
    /// somebody else holds the device.
    func detach() throws(Errno)

    /// Whether ``detach()`` closes the device: nobody else may hold its files then.
    var isClosedToDetach: Bool { get }

    /// `VFIO_DEVICE_RESET`: to RUNNING, every stream dead, the content lost.
    func reset() throws(Errno)

    /// Calls `handler`, from a thread of the backend's, for every signal of the kernel from now on.
    ///
    /// At most one handler; a second call replaces it.
    func onSignal(_ handler: @escaping @Sendable (DeviceSignal) -> Void)

    /// Duplicates of the descriptors for the device's user, or nil for a device without any.
    func duplicateDescriptors() throws(Errno) -> DeviceDescriptors?

    /// The open files that keep the device and its content.
    ///
    /// A service manager may hold them over the daemon's death; ``DeviceBackend/resume(_:_:)`` makes
    /// a session of them again. Empty for a device that lives in this process.
    func keptFiles() throws(Errno) -> [KeptFile]

    /// Closes the device.
    ///
    /// The last close of a device loses its content. Safe to call twice; every later call throws
    /// ENODEV.
    func close()
}

extension DeviceSession {
    /// A device that is detached while it is open.
    package var isClosedToDetach: Bool { false }
}

/// One of the open files of a session, by the name its backend knows it by.
///
/// The name is 1 to 64 letters, digits, `.`, `_` and `-`; it holds what the file itself cannot tell
/// (the page table a device is attached to).
package struct KeptFile: Sendable {
    package let name: String
    package let file: SharedDescriptor

    package init(name: String, file: SharedDescriptor) {
        self.name = name
        self.file = file
    }
}

/// What the kernel asks of, or tells, the holder of a device.
package enum DeviceSignal: Hashable, Sendable {
    /// `VFIO_PCI_REQ_IRQ_INDEX`: somebody unbinds or unplugs the device and waits for us.
    case unplugRequested
    /// `VFIO_PCI_ERR_IRQ_INDEX`: an unrecoverable error of the device.
    case errorSignalled
}

/// The bytes of a device's state while it is in a state that has a stream.
package protocol MigrationStream: AnyObject, Sendable {
    /// Reads some bytes.
    ///
    /// 0 is the end in STOP_COPY, and means no more for now in a pre-copy state, where ENOMSG means
    /// the same. ENODEV when the device left the state.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int

    /// Writes some bytes.
    ///
    /// Every error but EINTR bars the stream from ever being LOADED.
    func write(_ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int

    /// `VFIO_MIG_GET_PRECOPY_INFO`.
    ///
    /// With mlx5 and virtio this call is what makes the driver take its next snapshot, so a
    /// pre-copy loop must make it.
    func preCopyInfo() throws(Errno) -> PreCopyInfo

    /// Closes the descriptor.
    ///
    /// Never a change of state. Safe to call twice; every later call throws ENODEV.
    func close()
}

/// Answer of `VFIO_MIG_GET_PRECOPY_INFO`, in bytes.
///
/// Neither bounds what is still to come.
package struct PreCopyInfo: Hashable, Sendable {
    package let initialByteCount: UInt64
    package let dirtyByteCount: UInt64

    package init(initialByteCount: UInt64, dirtyByteCount: UInt64) {
        self.initialByteCount = initialByteCount
        self.dirtyByteCount = dirtyByteCount
    }
}

/// The descriptors of an open device on their way from or to its user.
package struct DeviceDescriptors: ~Copyable, Sendable {
    /// How the device was opened, which says what the two descriptors are.
    package enum Path: Hashable, Sendable {
        /// Its character device, bound, and the iommufd; with the IOAS or HWPT of the iommufd it is
        /// attached to, nil when it is to none.
        case cdev(pageTableID: UInt32?)
        /// Its group, and the container the group is in.
        case group
    }

    package let path: Path
    /// The character device, or the group.
    package let first: FileDescriptor
    /// The iommufd, or the container.
    package let second: FileDescriptor

    package init(
        _ path: Path,
        _ first: consuming FileDescriptor,
        _ second: consuming FileDescriptor
    ) {
        self.path = path
        self.first = first
        self.second = second
    }

    /// The descriptors of a device that was opened by its character device.
    package init(
        device: consuming FileDescriptor,
        iommufd: consuming FileDescriptor,
        pageTableID: UInt32?
    ) {
        self.init(.cdev(pageTableID: pageTableID), device, iommufd)
    }
}
