internal import MigrationCore
internal import MigrationPorts
internal import Synchronization
internal import SystemIO

/// A VFIO device of the kernel, open and bound to an iommufd.
///
/// Opened ──────────▶ closed. Closing drops the session's reference to the descriptors: a call
/// under way in another thread keeps them open until it returns, every later one throws ENODEV.
final class KernelSession: DeviceSession {
    let device: DeviceID
    let support: MigrationSupport

    private let signals: DeviceSignals
    // Guards the reference alone, never held over a call: a leaf of the lock order.
    private let files: Mutex<Files?>

    /// What a session holds open.
    struct Files: Sendable {
        let device: DeviceFile
        let iommu: IOMMUFile
        /// The IOAS or hardware page table the device is attached to; nil when it is to none.
        let pageTableID: UInt32?
    }

    init(
        _ device: DeviceID,
        _ files: Files,
        support: MigrationSupport,
        signals: DeviceSignals
    ) {
        self.device = device
        self.support = support
        self.signals = signals
        self.files = Mutex(files)
    }

    deinit { signals.cancel() }

    /// The signals that will not come, with the reason.
    var unarmedSignals: [DeviceSignal: Errno] { signals.unarmed }

    func state() throws(Errno) -> ReportedState { try open().device.state() }

    func set(_ state: DeviceState) throws(Errno) -> (any MigrationStream)? {
        try open().device.set(state).map(KernelStream.init)
    }

    func stopCopyByteCount() throws(Errno) -> UInt64 { try open().device.stopCopyByteCount() }

    func detach() throws(Errno) { try open().device.detach() }

    func reset() throws(Errno) { try open().device.reset() }

    func onSignal(_ handler: @escaping @Sendable (DeviceSignal) -> Void) {
        signals.handle(handler)
    }

    func duplicateDescriptors() throws(Errno) -> DeviceDescriptors? {
        let files = try open()
        return DeviceDescriptors(
            device: try files.device.file.descriptor.duplicate(),
            iommufd: try files.iommu.file.descriptor.duplicate(),
            pageTableID: files.pageTableID
        )
    }

    func keptFiles() throws(Errno) -> [KeptFile] {
        let files = try open()
        return [
            KeptFile(name: Self.deviceFileName, file: files.device.file),
            KeptFile(name: Self.iommuFileName(files.pageTableID), file: files.iommu.file),
        ]
    }

    func close() {
        signals.cancel()
        files.withLock { $0 = nil }
    }

    /// The descriptors, for the time of one call.
    func open() throws(Errno) -> Files {
        guard let files = files.withLock({ $0 }) else { throw .noDevice }
        return files
    }
}
