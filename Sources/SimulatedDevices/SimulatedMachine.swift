internal import MigrationCore

/// The inside of one simulated device: the state, the content, the live stream.
///
/// Knows nothing of locks, threads or waiting.
///
/// Knows nothing of faults either but to count them: who makes a call asks ``meet(_:)`` first.
///
///     every arc: time passes in the old state ─▶ load when leaving RESUMING ─▶
///                stream opens, goes on or dies ─▶ new state
struct SimulatedMachine {
    let profile: DeviceProfile
    let layout: PageLayout
    private let dirtyBytesPerSecond: UInt64
    /// Goes up whenever something of what is shown of the device may be another than before.
    private(set) var changeCount: UInt64 = 0
    private(set) var state = DeviceState.running { didSet { changeCount &+= 1 } }
    private(set) var content: SimulatedContent
    /// The digest of `content`; nil when that has changed since.
    private var knownDigest: String? { didSet { changeCount &+= 1 } }
    /// The content when the device last stopped, and its digest once somebody asked for it.
    private var stopped: (content: SimulatedContent, digest: String?)? {
        didSet { changeCount &+= 1 }
    }
    private var faults: FaultPlan
    private var stream: LiveStream?
    /// Numbers streams, so that a descriptor of an old one finds itself dead.
    private var streamCount: UInt64 = 0
    /// Up to when the content has been brought.
    private var nanoseconds: UInt64
    /// What of the dirty rate has not made up a page: billionths of a byte, and bytes.
    private var restNanobytes: UInt64 = 0
    private var restBytes: UInt64 = 0

    private struct LiveStream {
        let number: UInt64
        /// Exactly one of the two, by direction; kept apart so that each is changed in place.
        var source: StateSource?
        var loader: StateLoader?
    }

    init(
        _ spec: SimulationSpec,
        deviceSeed: UInt64,
        faults: [Fault],
        at nanoseconds: UInt64
    ) {
        self.profile = spec.profile
        self.layout = PageLayout(stateByteCount: spec.stateByteCount)
        self.dirtyBytesPerSecond = spec.dirtyBytesPerSecond
        self.content = SimulatedContent(seed: deviceSeed, layout: layout)
        self.faults = FaultPlan(faults)
        self.nanoseconds = nanoseconds
    }

    /// Adds a fault and who is told when it is met; false when there are too many.
    mutating func add(_ fault: Fault, _ onMeeting: (@Sendable () -> Void)?) -> Bool {
        faults.add(fault, onMeeting)
    }

    /// Counts something that happens and says how it fails, if it does.
    mutating func meet(_ event: Fault.Operation) -> FaultedCall { faults.meet(event) }

    /// Makes a call fail.
    ///
    /// A device that falls into ERROR has no stream any more.
    mutating func fail(_ failure: FaultedCall.Failure?, _ event: Fault.Operation) throws(Errno) {
        switch failure {
        case nil: return
        case .errno(let errno): throw errno
        case .errorState: fallIntoError()
        }
        switch event {
        case .arc, .reset, .dataSize: throw .io
        case .read, .write, .preCopyInfo: throw .noDevice
        case .get, .open, .detach: return
        }
    }

    mutating func fallIntoError() {
        state = .error
        stream = nil
    }

    /// The steps of a SET, or the errno the kernel refuses it with.
    func path(to target: DeviceState) throws(Errno) -> StatePath {
        guard let flags = profile.flags else { throw .notTypewriter }
        guard state != .error else {
            throw profile.refusalInError
        }
        do {
            return try MigrationStateMachine.path(from: state, to: target, flags: flags)
        } catch {
            throw .invalid
        }
    }

    /// Performs one step.
    ///
    /// On failure the device is where it was, or in ERROR.
    mutating func perform(_ arc: StateArc, at now: UInt64) throws(Errno) {
        advance(to: now)
        guard state == arc.from else { throw .io }
        if arc.from == .resuming, let loaded = try stream?.loader?.finish() {
            content = loaded
            knownDigest = nil
        }
        switch (arc.from, arc.to) {
        case (.running, .preCopy), (.runningP2P, .preCopyP2P):
            open(source: StateSource(preCopyOf: profile, layout, at: now))
        case (.stop, .stopCopy): open(source: StateSource(stopCopyOf: profile, layout))
        case (.stop, .resuming): open(loader: StateLoader(profile, layout))
        case (_, .stopCopy): stream?.source?.stopCopy()
        default: if !arc.to.hasStream { stream = nil }
        }
        state = arc.to
        if state == .stop || state == .stopCopy { stopped = (content, nil) }
    }

    /// The number of the stream that is open now.
    var streamNumber: UInt64? { stream?.number }

    /// What a reset, an open and a last close do.
    mutating func loseContent() {
        state = .running
        stream = nil
        content = SimulatedContent(emptyWith: layout)
        knownDigest = nil
    }

    /// A digest over the whole content as it is now.
    mutating func digest(at now: UInt64) -> String {
        advance(to: now)
        if let knownDigest { return knownDigest }
        let digest = content.digest()
        knownDigest = digest
        return digest
    }

    /// Both digests where they need not be made; else nil.
    mutating func knownDigests(at now: UInt64) -> (now: String, stopped: String?)? {
        advance(to: now)
        guard let knownDigest, stopped == nil || stopped?.digest != nil else { return nil }
        return (knownDigest, stopped?.digest)
    }

    /// A digest over the content the last time the device stopped; nil when it never did.
    ///
    /// Stays when that content is lost, so that what left a source can be held against what
    /// arrived in a target.
    mutating func stoppedDigest() -> String? {
        guard let (content, known) = stopped else { return nil }
        if let known { return known }
        let digest = content.digest()
        stopped?.digest = digest
        return digest
    }

    func stopCopyByteCount() throws(Errno) -> UInt64 {
        guard profile.flags != nil else { throw .notTypewriter }
        return stream?.source?.remainingByteCount
            ?? StateSource(stopCopyOf: profile, layout).remainingByteCount
    }

    mutating func read(
        _ number: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        at now: UInt64
    ) throws(Errno) -> Int {
        advance(to: now)
        try check(number)
        guard stream?.source != nil else { throw .badDescriptor }
        let count = unsafe stream?.source?.read(into: buffer, content) ?? 0
        if unsafe count > 0 || buffer.isEmpty || state == .stopCopy { return count }
        guard case .records = profile.format else { return 0 }
        throw .noMessage
    }

    mutating func write(
        _ number: UInt64,
        _ buffer: UnsafeRawBufferPointer,
        at now: UInt64
    ) throws(Errno) -> Int {
        advance(to: now)
        try check(number)
        knownDigest = nil
        guard let count = try unsafe stream?.loader?.write(buffer, &content) else {
            throw .badDescriptor
        }
        return count
    }

    mutating func preCopyInfo(
        _ number: UInt64,
        at now: UInt64
    ) throws(Errno) -> (initial: UInt64, dirty: UInt64) {
        advance(to: now)
        try check(number)
        // The write side has no such ioctl.
        guard let info = stream?.source?.info else { throw .notTypewriter }
        switch state {
        case .preCopy: return stream?.source?.takeSnapshot(at: now) ?? info
        case .preCopyP2P: return info
        default: throw .invalid
        }
    }

    /// Brings the content to a point of time.
    ///
    /// Only a device that can act changes it.
    mutating func advance(to now: UInt64) {
        guard now > nanoseconds else { return }
        // So that the product below stays in range, whatever the clock did.
        let elapsed = min(now - nanoseconds, 1 << 53)
        nanoseconds = now
        guard dirtyBytesPerSecond > 0, state.canAct, content.canChange else { return }
        var (high, low) = elapsed.multipliedFullWidth(by: dirtyBytesPerSecond)
        let (sum, carry) = low.addingReportingOverflow(restNanobytes)
        (high, low) = (high + (carry ? 1 : 0), sum)
        let (bytes, rest) = UInt64(1_000_000_000).dividingFullWidth((high, low))
        restNanobytes = rest
        let (pages, restBytes) = (bytes + self.restBytes)
            .quotientAndRemainder(dividingBy: UInt64(layout.pageByteCount))
        self.restBytes = restBytes
        guard pages > 0 else { return }
        stream?.source?.didWrite(from: content.writeCount, count: pages)
        content.write(pages: pages)
        knownDigest = nil
    }

    private mutating func open(source: StateSource) {
        streamCount += 1
        stream = LiveStream(number: streamCount, source: source)
    }

    private mutating func open(loader: StateLoader) {
        streamCount += 1
        stream = LiveStream(number: streamCount, loader: loader)
    }

    /// Whether a stream is the one that is open.
    func check(_ number: UInt64) throws(Errno) {
        guard stream?.number == number else { throw .noDevice }
    }
}
