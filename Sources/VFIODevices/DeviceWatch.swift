internal import Dispatch
internal import MigrationCore
internal import Synchronization
internal import SystemIO

/// Keeps the list of the host's devices true while they come and go.
///
/// Level-triggered: an event of the kernel's says that it is worth looking, never what has changed,
/// so nothing is lost when events are, and none has to be understood. Where no events come (in a
/// container) a list that is asked for makes it look again when it is old.
final class DeviceWatch: Sendable {
    /// Those that were there and are not, and those that are new or not what they were.
    typealias Observer = @Sendable (_ gone: [DeviceID], _ changed: [SysfsDevice]) -> Void

    private struct State {
        var devices: [SysfsDevice]
        var takenAt: UInt64
        var isLookDue = false
        var observer: Observer?
        var source: ReadSource?
    }

    /// Subsystems whose events can change what is listed.
    private static let subsystems: Set<String> = [
        "vfio-dev", "vfio", "pci", "mdev", "css", "ccw", "ap", "platform", "amba", "fsl-mc", "cdx",
        "iommu", "vfio_ap", "matrix",
    ]
    /// A driver that binds a thousand functions makes many events; one look is enough for what
    /// comes within this time.
    private static let settling = DispatchTimeInterval.milliseconds(50)
    /// When a list that is asked for is too old where events may not come.
    private static let ageLimitNanoseconds: UInt64 = 2_000_000_000

    private let inventory: SysfsInventory
    private let socket: UeventSocket?
    private let queue = DispatchQueue(label: "ferry.vfio.watch")
    /// Guards the devices as they were seen last.
    ///
    /// A leaf: looking is done outside of it, by the queue alone.
    private let state: Mutex<State>

    /// Looks once, and watches from then on.
    init(_ inventory: SysfsInventory) {
        self.inventory = inventory
        // Before the first look, so that nothing falls between.
        socket = try? UeventSocket()
        state = Mutex(State(devices: inventory.devices(), takenAt: Self.now))
        guard let socket else { return }
        let source = socket.source(on: queue) { [weak self] in self?.didReceive() }
        state.withLock { $0.source = source }
        source.resume()
    }

    deinit { state.withLock { $0.source }?.cancel() }

    /// The devices as they were seen last.
    ///
    /// Never blocks: a list that is old makes it look, and the next one has what that found.
    var devices: [SysfsDevice] {
        let (devices, isOld) = state.withLock { state in
            (state.devices, Self.now - state.takenAt > Self.ageLimitNanoseconds)
        }
        if isOld { lookSoon(after: .nanoseconds(0)) }
        return devices
    }

    /// Tells of every change from now on, on the watch's own queue, one after another.
    func observe(_ observer: @escaping Observer) {
        state.withLock { $0.observer = observer }
    }

    /// Looks now, for whoever has changed something himself.
    ///
    /// Blocks until the list is that of now.
    func look() { queue.sync { compare() } }

    private func didReceive() {
        var isWorthLooking = false
        // All there is: each of them may be the one that matters.
        while let message = try? socket?.receive() {
            switch message {
            case .event(let event):
                isWorthLooking =
                    isWorthLooking || event.subsystem.map(Self.subsystems.contains) ?? false
            case .lost: isWorthLooking = true
            case .meaningless: break
            }
        }
        if isWorthLooking { lookSoon(after: Self.settling) }
    }

    private func lookSoon(after delay: DispatchTimeInterval) {
        let isFirst = state.withLock { state in
            defer { state.isLookDue = true }
            return !state.isLookDue
        }
        guard isFirst else { return }
        queue.asyncAfter(deadline: .now() + delay) { [weak self] in self?.compare() }
    }

    private func compare() {
        // Before the look: what happens during it makes another one due.
        state.withLock { $0.isLookDue = false }
        let found = inventory.devices()
        // Devices that could not be looked at are not gone.
        guard inventory.exhaustion() == nil else { return }
        let (before, observer) = state.withLock { state in
            defer { (state.devices, state.takenAt) = (found, Self.now) }
            return (state.devices, state.observer)
        }
        guard let observer else { return }
        let known = Dictionary(before.map { ($0.record.id, $0) }) { first, _ in first }
        let changed = found.filter { known[$0.record.id] != $0 }
        let ids = Set(found.map(\.record.id))
        let gone = before.map(\.record.id).filter { !ids.contains($0) }
        if !changed.isEmpty || !gone.isEmpty { observer(gone, changed) }
    }

    private static var now: UInt64 { SystemClock.monotonicNanoseconds() }
}
