internal import Dispatch
internal import MigrationCore
internal import Synchronization
internal import SystemIO

/// Keeps the list of the host's devices true while they come and go.
///
/// Level-triggered: an event of the kernel's says that it is worth looking, never what has changed,
/// so nothing is lost when events are, and none has to be understood. Where no events come (in a
/// container, or of a captured tree) a list that is asked for makes it look again when it is old. A
/// look may hang, in an attribute whose device is being unbound: the list is then that of the last
/// one.
final class DeviceWatch: Sendable {
    /// Those that were there and are not, and those that are new or not what they were; gives
    /// whether that was taken, for it is told again when it was not.
    typealias Observer = @Sendable (_ gone: [DeviceID], _ changed: [SysfsDevice]) -> Bool

    private struct State {
        /// As they were seen last.
        var devices: [SysfsDevice]
        /// As the observer knows them.
        var told: [SysfsDevice]
        /// When `devices` was looked at.
        var seenAt: UInt64
        /// When the last look ended, whatever came of it, and how long it took.
        var lookedAt: UInt64
        var lookNanoseconds: UInt64
        var isLookDue = false
        var observer: Observer?
        var source: ReadSource?
    }

    /// The bounds of a watch.
    struct Options {
        /// A driver that binds a thousand functions makes many events; one look is enough for what
        /// comes within this time.
        var settlingNanoseconds: UInt64 = 50_000_000
        /// When a list that is asked for is too old where events may not come.
        var ageLimitNanoseconds: UInt64 = 2_000_000_000
        /// How long who asks for an old list waits for a new one.
        var patienceNanoseconds: UInt64 = 250_000_000
        /// When changes are told again that were not taken.
        var retryNanoseconds: UInt64 = 1_000_000_000
        /// Events that are read before others may use the thread.
        var eventLimit = 4096
    }

    /// Subsystems whose events can change what is listed.
    private static let subsystems: Set<String> = [
        "vfio-dev", "vfio", "pci", "mdev", "css", "ccw", "ap", "platform", "amba", "fsl-mc", "cdx",
        "iommu", "vfio_ap", "matrix",
    ]

    private let inventory: SysfsInventory
    private let options: Options
    private let socket: UeventSocket?
    private let queue = DispatchQueue(label: "ferry.vfio.watch")
    /// Guards the devices as they were seen last.
    ///
    /// A leaf: looking and telling is done outside of it, by the queue alone.
    private let state: Mutex<State>

    /// Looks once, and watches from then on; without a socket it hears of nothing.
    ///
    /// The socket is there before the first look, so that nothing falls between.
    init(
        _ inventory: SysfsInventory,
        hearing socket: UeventSocket?,
        _ options: Options = Options()
    ) {
        self.inventory = inventory
        self.options = options
        self.socket = socket
        let begun = Self.now
        let devices = inventory.devices()
        let now = Self.now
        state = Mutex(
            State(
                devices: devices,
                told: devices,
                seenAt: begun,
                lookedAt: now,
                lookNanoseconds: now - begun
            )
        )
        guard let socket else { return }
        let source = socket.source(on: queue) { [weak self] in self?.didReceive() }
        state.withLock { $0.source = source }
        source.resume()
    }

    deinit { state.withLock { $0.source }?.cancel() }

    /// The devices as they were seen last.
    ///
    /// A list that is old makes it look. Who asks first then waits for it, for a bounded time, but
    /// not where the last look took longer than that.
    var devices: [SysfsDevice] {
        let (devices, isOld, isQuick) = state.withLock { state in
            (
                state.devices, Self.now - state.seenAt > options.ageLimitNanoseconds,
                state.lookNanoseconds < options.patienceNanoseconds
            )
        }
        guard isOld, let seen = lookSoon(after: 0), isQuick else { return devices }
        _ = seen.wait(timeout: .now() + .nanoseconds(Int(options.patienceNanoseconds)))
        return state.withLock { $0.devices }
    }

    /// Tells of every change since the watch began, on the watch's own queue, one after another.
    func observe(_ observer: @escaping Observer) {
        state.withLock { $0.observer = observer }
        queue.async { [weak self] in self?.tellChanges() }
    }

    /// Looks now; blocks until the list is that of now.
    func look() { queue.sync { compare() } }

    private func didReceive() {
        var isWorthLooking = false
        // Dispatch calls again for those that are left.
        for _ in 0..<options.eventLimit {
            guard let message = try? socket?.receive() else { break }
            switch message {
            case .event(let event):
                isWorthLooking =
                    isWorthLooking || event.subsystem.map(Self.subsystems.contains) ?? false
            case .lost: isWorthLooking = true
            case .meaningless: break
            }
        }
        if isWorthLooking { lookSoon(after: options.settlingNanoseconds) }
    }

    /// Makes a look due; nil when one is already.
    ///
    /// Never before as long again has gone by as the last one took: a flood of events costs half of
    /// one processor at most. What it gives is signalled when the look is over.
    @discardableResult
    private func lookSoon(after delay: UInt64) -> DispatchSemaphore? {
        let wait: UInt64? = state.withLock { state in
            guard !state.isLookDue else { return nil }
            state.isLookDue = true
            let earliest = state.lookedAt + state.lookNanoseconds
            return max(delay, earliest - min(earliest, Self.now))
        }
        guard let wait else { return nil }
        let seen = DispatchSemaphore(value: 0)
        queue.asyncAfter(deadline: .now() + .nanoseconds(Int(clamping: wait))) { [weak self] in
            self?.compare()
            seen.signal()
        }
        return seen
    }

    private func compare() {
        // Before the look: what happens during it makes another one due.
        let known = state.withLock { state in
            state.isLookDue = false
            return state.devices
        }
        let begun = Self.now
        let found = Self.keeping(known, inventory.devices())
        // Devices that could not be looked at are not gone.
        let isWhole = inventory.exhaustion() == nil
        state.withLock { state in
            state.lookedAt = Self.now
            state.lookNanoseconds = state.lookedAt - begun
            if isWhole { (state.devices, state.seenAt) = (found, begun) }
        }
        tellChanges()
    }

    /// Tells what was seen last, where that is not what is known.
    private func tellChanges() {
        let (told, devices, observer) = state.withLock { ($0.told, $0.devices, $0.observer) }
        guard let observer else { return }
        if Self.tell(observer, told, devices) {
            state.withLock { $0.told = devices }
        } else {
            lookSoon(after: options.retryNanoseconds)
        }
    }

    /// What was found, those that are what they were as the very values they were: whoever has kept
    /// something for one compares it at once.
    private static func keeping(_ known: [SysfsDevice], _ found: [SysfsDevice]) -> [SysfsDevice] {
        let known = Dictionary(known.map { ($0.record.id, $0) }) { first, _ in first }
        return found.map { device in
            known[device.record.id].flatMap { $0 == device ? $0 : nil } ?? device
        }
    }

    /// Whether the observer knows of everything.
    private static func tell(
        _ observer: Observer,
        _ before: [SysfsDevice],
        _ now: [SysfsDevice]
    ) -> Bool {
        let known = Dictionary(before.map { ($0.record.id, $0) }) { first, _ in first }
        let changed = now.filter { device in
            known[device.record.id].map { !device.isStill($0) } ?? true
        }
        let ids = Set(now.map(\.record.id))
        let gone = before.map(\.record.id).filter { !ids.contains($0) }
        return changed.isEmpty && gone.isEmpty || observer(gone, changed)
    }

    private static var now: UInt64 { SystemClock.monotonicNanoseconds() }
}

extension SysfsDevice {
    /// Whether it is what another look saw, but for its power state.
    ///
    /// The kernel lets idle functions sleep and wakes them for whoever reads them: a list of what
    /// changed would be full of that.
    fileprivate func isStill(_ before: Self) -> Bool {
        if self == before { return true }
        var awake = self
        awake.record.pci?.powerState = before.record.pci?.powerState
        return awake == before
    }
}
