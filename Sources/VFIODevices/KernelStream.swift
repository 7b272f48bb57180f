internal import CVFIO
internal import MigrationCore
internal import MigrationPorts
internal import Synchronization
internal import SystemIO

/// A data_fd: the bytes of a kernel device's state.
final class KernelStream: MigrationStream {
    // Guards the reference alone, never held over a call: a leaf of the lock order.
    private let file: Mutex<SharedDescriptor?>

    init(_ file: SharedDescriptor) { self.file = Mutex(file) }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try unsafe open().descriptor.read(into: buffer)
    }

    func write(_ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int {
        try unsafe open().descriptor.write(buffer)
    }

    func preCopyInfo() throws(Errno) -> PreCopyInfo {
        var info = cvfio_precopy_info()
        // Drivers do not write the flags: what is put in comes back.
        info.argsz = byteCount(of: info)
        try open().call(CVFIO_MIG_GET_PRECOPY_INFO, &info)
        return PreCopyInfo(initialByteCount: info.initial_bytes, dirtyByteCount: info.dirty_bytes)
    }

    func close() { file.withLock { $0 = nil } }

    private func open() throws(Errno) -> SharedDescriptor {
        guard let file = file.withLock({ $0 }) else { throw .noDevice }
        return file
    }
}
