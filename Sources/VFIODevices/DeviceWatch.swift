internal import Dispatch
internal import MigrationCore
internal import Synchronization
internal import SystemIO

/// A device as one look saw it.
protocol WatchedDevice: Equatable, Sendable {
    var id: DeviceID { get }

    /// Whether it is what an earlier look saw, as far as anybody is told.
    func isStill(_ before: Self) -> Bool
}

/// What says that it is worth looking again, and no more than that.
protocol LookHints: Sendable {
    /// Calls a handler whenever there is something to read.
    func source(
        on queue: DispatchQueue,
        _ handler: @escaping @Sendable () -> Void
    ) -> ReadSource

    /// Reads what has come, `limit` messages of it at most, and gives whether it is worth a look.
    ///
    /// Never blocks.
    func areWorthLooking(limit: Int) -> Bool
}

/// The bounds of a watch.
struct WatchOptions {
    /// A driver that binds a thousand functions makes many events; one look is enough for what
    /// comes within this time.
    var settlingNanoseconds: UInt64 = 50_000_000
    /// When a list that is asked for is too old where events may not come.
    var ageLimitNanoseconds: UInt64 = 2_000_000_000
    /// How long who asks for an old list waits for a new one, where looks are quicker than that.
    var patienceNanoseconds: UInt64 = 250_000_000
    /// When a list is too old to be given without having waited for a slow look.
    var staleNanoseconds: UInt64 = 30_000_000_000
    /// How long is waited then, and for how long a look that hangs keeps anybody.
    var longPatienceNanoseconds: UInt64 = 5_000_000_000
    /// How long the first look may keep the daemon from starting where something is assumed.
    var startPatienceNanoseconds: UInt64 = 1_000_000_000
    /// When changes are told again that were not taken.
    var retryNanoseconds: UInt64 = 1_000_000_000
    /// Messages that are read before others may use the thread.
    var messageLimit = 4096
}

/// Keeps a list of devices true while they come and go.
///
/// Level-triggered: a hint of the kernel's says that it is worth looking, never what has changed,
/// so nothing is lost when hints are, and none has to be understood. Where none come (of devices in
/// a container, or of a captured tree) a list that is asked for makes it look again when it is old.
/// A look may hang, in an attribute whose device is being unbound: the list is then that of the last
/// one.
final class DeviceWatch<Device: WatchedDevice>: Sendable {
    /// Those that were there and are not, and those that are new or not what they were; gives
    /// whether that was taken, for it is told again when it was not.
    typealias Observer = @Sendable (_ gone: [DeviceID], _ changed: [Device]) -> Bool
    /// Looks for devices; those that could not be looked at are not gone when not all could.
    typealias Look = @Sendable () -> (devices: [Device], isWhole: Bool)

    private struct State {
        /// As they were seen last.
        var devices: [Device]
        /// As the observer knows them.
        var told: [Device]
        /// When `devices` was looked at.
        var seenAt: UInt64
        /// When the last look ended, whatever came of it, and how long it took.
        var lookedAt: UInt64
        var lookNanoseconds: UInt64
        /// The look that is due, and the one that is under way.
        var due: ComingLook?
        var current: ComingLook?
        var observer: Observer?
        var source: ReadSource?
    }

    private let look: Look
    private let options: WatchOptions
    private let hints: (any LookHints)?
    private let queue = DispatchQueue(label: "ferry.vfio.watch")
    /// Guards the devices as they were seen last.
    ///
    /// A leaf: looking and telling is done outside of it, by the queue alone.
    private let state: Mutex<State>

    /// Looks once, and watches from then on; without hints it hears of nothing.
    ///
    /// The hints are there before the first look, so that nothing falls between. What is assumed is
    /// the list when the first look takes too long; blocks for as long as that takes where nothing
    /// is. Nothing is told of what the first look saw when it was over in time.
    init(
        hearing hints: (any LookHints)?,
        assuming assumed: [Device]? = nil,
        _ options: WatchOptions = WatchOptions(),
        _ look: @escaping Look
    ) {
        self.look = look
        self.options = options
        self.hints = hints
        let begun = Self.now
        let devices = assumed ?? look().devices
        state = Mutex(
            State(
                devices: devices,
                told: devices,
                seenAt: begun,
                lookedAt: Self.now,
                // How long the first one took says nothing of the next: it reads what is kept from
                // then on, and the first event is not to wait for as long again.
                lookNanoseconds: 0
            )
        )
        if let hints {
            let source = hints.source(on: queue) { [weak self] in self?.didReceive() }
            state.withLock { $0.source = source }
            source.resume()
        }
        guard assumed != nil else { return }
        if lookSoon(after: 0).wait(nanoseconds: options.startPatienceNanoseconds) {
            state.withLock { $0.told = $0.devices }
        }
    }

    deinit { state.withLock { $0.source }?.cancel() }

    /// The devices as they were seen last.
    ///
    /// A list that is old makes it look, and whoever asks waits for the look, for a bounded time. But
    /// not where the last look took longer than that, unless the list is very old; and never for
    /// one that hangs.
    var devices: [Device] {
        let (devices, age, isQuick, current) = state.withLock { state in
            (
                state.devices, Self.now - state.seenAt,
                state.lookNanoseconds < options.patienceNanoseconds, state.current
            )
        }
        guard age > options.ageLimitNanoseconds else { return devices }
        let coming = current ?? lookSoon(after: 0)
        let patience =
            age > options.staleNanoseconds
            ? options.longPatienceNanoseconds : isQuick ? options.patienceNanoseconds : 0
        let waited = Self.now - coming.since
        let rest = options.longPatienceNanoseconds - min(waited, options.longPatienceNanoseconds)
        guard patience > 0, rest > 0 else { return devices }
        coming.wait(nanoseconds: min(patience, rest))
        return state.withLock { $0.devices }
    }

    /// Tells of every change since the watch began, on the watch's own queue, one after another.
    func observe(_ observer: @escaping Observer) {
        state.withLock { $0.observer = observer }
        queue.async { [weak self] in self?.tellChanges() }
    }

    /// Looks now; blocks until the list is that of now.
    func lookNow() { queue.sync { compare() } }

    private func didReceive() {
        // Dispatch calls again for those that are left.
        guard let hints, hints.areWorthLooking(limit: options.messageLimit) else { return }
        lookSoon(after: options.settlingNanoseconds)
    }

    /// Makes a look due, if none is, and gives the one that is.
    ///
    /// Never before as long again has gone by as the last one took: a flood of events costs half of
    /// one processor at most.
    @discardableResult
    private func lookSoon(after delay: UInt64) -> ComingLook {
        let (look, wait): (ComingLook, UInt64?) = state.withLock { state in
            if let due = state.due { return (due, nil) }
            let now = Self.now
            let look = ComingLook(since: now)
            state.due = look
            let earliest = state.lookedAt + state.lookNanoseconds
            return (look, max(delay, earliest - min(earliest, now)))
        }
        guard let wait else { return look }
        queue.asyncAfter(deadline: .now() + .nanoseconds(Int(clamping: wait))) { [weak self] in
            self?.compare()
        }
        return look
    }

    private func compare() {
        // Before the look: what happens during it makes another one due.
        let begun = Self.now
        let (known, coming) = state.withLock { state in
            let coming = [ComingLook(since: begun), state.due].compactMap(\.self)
            (state.current, state.due) = (coming.first, nil)
            return (state.devices, coming)
        }
        let (looked, isWhole) = look()
        let found = Self.keeping(known, looked)
        state.withLock { state in
            state.lookedAt = Self.now
            state.lookNanoseconds = state.lookedAt - begun
            state.current = nil
            if isWhole { (state.devices, state.seenAt) = (found, begun) }
        }
        // The list is there: nobody waits for the store.
        for look in coming { look.end() }
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
    private static func keeping(_ known: [Device], _ found: [Device]) -> [Device] {
        let known = Dictionary(known.map { ($0.id, $0) }) { first, _ in first }
        return found.map { device in
            known[device.id].flatMap { $0 == device ? $0 : nil } ?? device
        }
    }

    /// Whether the observer knows of everything.
    private static func tell(
        _ observer: Observer,
        _ before: [Device],
        _ now: [Device]
    ) -> Bool {
        let known = Dictionary(before.map { ($0.id, $0) }) { first, _ in first }
        let changed = now.filter { device in
            known[device.id].map { !device.isStill($0) } ?? true
        }
        let ids = Set(now.map(\.id))
        let gone = before.map(\.id).filter { !ids.contains($0) }
        return changed.isEmpty && gone.isEmpty || observer(gone, changed)
    }

    private static var now: UInt64 { SystemClock.monotonicNanoseconds() }
}
