internal import MigrationCore
internal import MigrationPorts
internal import Synchronization
internal import SystemIO

/// A VFIO device of the kernel, open in an address space.
///
///     open ───────────▶ closed
///       │  ▲ reset        ▲
///       ▼  │              │
///     detached ───────────┘      (only of a device that was opened by its group)
///
/// Closing drops the session's reference to the descriptors: a call under way in another thread
/// keeps them open until it returns, every later one throws ENODEV.
final class KernelSession: DeviceSession {
    let device: DeviceID
    let support: MigrationSupport

    private let signals: DeviceSignals
    // Guards the reference alone, never held over a call: a leaf of the lock order.
    private let phase: Mutex<Phase>

    /// What a session holds open.
    struct Files: Sendable {
        let device: DeviceFile
        let space: AddressSpace
    }

    private enum Phase {
        case open(Files)
        /// The device is closed; RESET opens it again, once its group is in an empty container.
        case detached(GroupMembership)
        case closed
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
        self.phase = Mutex(.open(files))
    }

    deinit { close() }

    /// The signals that will not come, with the reason.
    var unarmedSignals: [DeviceSignal: Errno] { signals.unarmed }

    func state() throws(Errno) -> ReportedState { try open().device.state() }

    func set(_ state: DeviceState) throws(Errno) -> (any MigrationStream)? {
        try open().device.set(state).map(KernelStream.init)
    }

    func stopCopyByteCount() throws(Errno) -> UInt64 { try open().device.stopCopyByteCount() }

    /// Of a device that was opened by its group: closes it, which resets it, and takes its group out
    /// of the container.
    ///
    /// No call detaches an open device from a container (decision 0014).
    func detach() throws(Errno) {
        if case .detached = phase.withLock({ $0 }) { return }
        guard let membership = try membership() else { return try open().device.detach() }
        drop(.detached(membership))
        try membership.leaveContainer()
    }

    var isClosedToDetach: Bool { (try? membership()) != nil }

    func reset() throws(Errno) {
        if case .detached(let membership) = phase.withLock({ $0 }) {
            let files = Files(device: try membership.reopenDevice(), space: .group(membership))
            signals.arm(files.device)
            phase.withLock { if case .detached = $0 { $0 = .open(files) } }
        }
        try open().device.reset()
    }

    func onSignal(_ handler: @escaping @Sendable (DeviceSignal) -> Void) {
        signals.handle(handler)
    }

    func close() {
        signals.cancel()
        drop(.closed)
    }

    /// The descriptors, for the time of one call.
    func open() throws(Errno) -> Files {
        guard case .open(let files) = phase.withLock({ $0 }) else { throw .noDevice }
        return files
    }

    /// The part in a group of a device that was opened by its group; nil for one by its cdev.
    private func membership() throws(Errno) -> GroupMembership? {
        if case .group(let membership) = try open().space { membership } else { nil }
    }

    /// Closes the device, then its part in an address space: a group is closed when the last
    /// device file of it is.
    private func drop(_ next: Phase) {
        var files: Files? = phase.withLock { phase -> Files? in
            switch phase {
            case .open(let files):
                phase = next
                return files
            case .detached:
                phase = next
                return nil
            case .closed: return nil
            }
        }
        let space = files?.space
        files = nil
        withExtendedLifetime(space) {}
    }
}
