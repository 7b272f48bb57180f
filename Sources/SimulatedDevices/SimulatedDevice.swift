internal import Dispatch
internal import MigrationCore
internal import MigrationPorts
internal import Synchronization

/// One simulated device, open or not.
///
///     every call: counted, faults met ─▶ waits, without a lock but the driver's ─▶ fails or works
final class SimulatedDevice: Sendable {
    let id: DeviceID
    let spec: SimulationSpec
    let clock: any HostClock
    /// The driver's own state mutex: held for a whole SET with its waits, so that a GET meanwhile
    /// waits, as in the kernel.
    ///
    /// Guards nothing but that order. Taken before `inside`.
    let stateLock = Mutex<Void>(())
    /// Ends an open that hangs.
    let stopping = Interruption()
    private let signals: DispatchQueue
    /// Guards everything the device is.
    ///
    /// Taken last, and held for no wait.
    private let inside: Mutex<Inside>

    /// Who makes a call.
    enum Caller: Sendable {
        case session(ObjectIdentifier)
        /// A stream, which is dead when another one, or none, is open.
        case stream(UInt64)
    }

    private struct Inside {
        var machine: SimulatedMachine
        var evidence: DeviceEvidence?
        /// The session that has the device open.
        var opener: ObjectIdentifier?
        /// Whether it was never open: it still has the content of its seed.
        var isUntouched = true
        var signalHandler: (@Sendable (DeviceSignal) -> Void)?
        /// The record made last.
        var lastRecord: MadeRecord?

        func check(_ caller: Caller) throws(Errno) {
            switch caller {
            case .session(let session): guard opener == session else { throw .noDevice }
            case .stream(let number): try machine.check(number)
            }
        }
    }

    init(
        _ id: DeviceID,
        number: Int,
        _ spec: SimulationSpec,
        _ clock: any HostClock,
        signals: DispatchQueue,
        evidence: EvidenceLog? = nil
    ) {
        self.id = id
        self.spec = spec
        self.clock = clock
        self.signals = signals
        self.inside = Mutex(
            Inside(
                machine: SimulatedMachine(
                    spec,
                    deviceSeed: PagePattern.mix(spec.seed) ^ PagePattern.mix(~UInt64(number)),
                    faults: spec.faults.filter { $0.device == nil || $0.device == id },
                    at: clock.monotonicNanoseconds()
                ),
                evidence: evidence.map { DeviceEvidence($0, id) }
            )
        )
    }

    private var now: UInt64 { clock.monotonicNanoseconds() }

    // MARK: Opening and closing

    /// Opens the device for a session: a reset, like the first open of a PCI device.
    func open(for session: SimulatedSession) throws(Errno) {
        let faults = try inside.withLock { inside throws(Errno) in
            guard inside.opener == nil else { throw .busy }
            return inside.machine.meet(.open)
        }
        try faults.wait(unless: [stopping])
        try inside.withLock { inside throws(Errno) in
            guard inside.opener == nil else { throw .busy }
            if case .errno(let errno) = faults.failure { throw errno }
            let now = now
            inside.machine.advance(to: now)
            // An untouched device holds its seed's content, and nobody got it.
            inside.evidence?.willLose(&inside.machine, .opened, at: now)
            inside.machine.loseContent()
            inside.opener = ObjectIdentifier(session)
            inside.isUntouched = false
            if faults.isFollowedByError || faults.failure != nil { inside.machine.fallIntoError() }
            inside.evidence?.opened(&inside.machine, untouched: false, at: now)
        }
    }

    /// Opens a device that was never open, with the content of its seed.
    func openUntouched(for session: SimulatedSession) -> Bool {
        inside.withLock { inside in
            guard inside.isUntouched else { return false }
            inside.opener = ObjectIdentifier(session)
            inside.isUntouched = false
            inside.evidence?.opened(&inside.machine, untouched: true, at: now)
            return true
        }
    }

    /// The last close.
    ///
    /// Does nothing for a session that does not have the device open.
    func close(for session: SimulatedSession) {
        inside.withLock { inside in
            guard inside.opener == ObjectIdentifier(session) else { return }
            let now = now
            inside.opener = nil
            inside.signalHandler = nil
            inside.machine.advance(to: now)
            inside.evidence?.willLose(&inside.machine, .closed, at: now)
            inside.machine.loseContent()
            inside.evidence?.closed(&inside.machine, at: now)
        }
    }

    var isOpen: Bool { inside.withLock { $0.opener != nil } }

    // MARK: Calls

    /// Makes a call, with the faults that are due for it.
    ///
    /// `body` gets the machine, the time, and the most bytes it may move. Throws ENODEV when the
    /// caller has the device, or its stream, no more, or an interruption ended a wait.
    func call<Answer: Sendable>(
        _ event: Fault.Operation,
        by caller: Caller,
        unless interruptions: [Interruption],
        _ body: (inout SimulatedMachine, UInt64, Int) throws(Errno) -> Answer
    ) throws(Errno) -> Answer {
        let faults = try inside.withLock { inside throws(Errno) in
            try inside.check(caller)
            return inside.machine.meet(event)
        }
        try faults.wait(unless: interruptions)
        let (answer, signal) = try inside.withLock { inside throws(Errno) in
            try inside.check(caller)
            let now = now
            inside.machine.advance(to: now)
            try fail(faults, event, &inside, at: now)
            let answer = try body(&inside.machine, now, faults.byteLimit ?? .max)
            return (answer, fallIntoError(faults, &inside, at: now))
        }
        signal?(.errorSignalled)
        return answer
    }

    /// Performs one step of a SET, and says which stream is open then.
    func perform(
        _ arc: StateArc,
        by caller: Caller,
        unless interruptions: [Interruption]
    ) throws(Errno) -> UInt64? {
        let event = Fault.Operation.arc(from: arc.from, to: arc.to)
        let faults = try inside.withLock { inside throws(Errno) in
            try inside.check(caller)
            let now = now
            inside.machine.advance(to: now)
            inside.evidence?.began(arc, &inside.machine, at: now)
            return inside.machine.meet(event)
        }
        try faults.wait(spec.arcLatency, unless: interruptions)
        let (number, signal) = try inside.withLock { inside throws(Errno) in
            try inside.check(caller)
            let now = now
            do throws(Errno) {
                inside.machine.advance(to: now)
                try inside.machine.fail(faults.failure, event)
                try inside.machine.perform(arc, at: now)
            } catch {
                inside.evidence?.ended(arc, error, &inside.machine, at: now)
                throw error
            }
            inside.evidence?.ended(arc, nil, &inside.machine, at: now)
            return (inside.machine.streamNumber, fallIntoError(faults, &inside, at: now))
        }
        signal?(.errorSignalled)
        return number
    }

    /// RESET.
    func reset(by caller: Caller, unless interruptions: [Interruption]) throws(Errno) {
        let faults = try inside.withLock { inside throws(Errno) in
            try inside.check(caller)
            return inside.machine.meet(.reset)
        }
        try faults.wait(unless: interruptions)
        let signal = try inside.withLock { inside throws(Errno) in
            try inside.check(caller)
            let now = now
            inside.machine.advance(to: now)
            try fail(faults, .reset, &inside, at: now)
            inside.evidence?.willLose(&inside.machine, .reset, at: now)
            inside.machine.loseContent()
            inside.evidence?.reset(&inside.machine, at: now)
            return fallIntoError(faults, &inside, at: now)
        }
        signal?(.errorSignalled)
    }

    /// The steps of a SET, or the errno the kernel refuses it with.
    func path(to target: DeviceState, by caller: Caller) throws(Errno) -> StatePath {
        try inside.withLock { inside throws(Errno) in
            try inside.check(caller)
            return try inside.machine.path(to: target)
        }
    }

    /// Makes the call fail as its faults say, if they do.
    private func fail(
        _ faults: FaultedCall,
        _ event: Fault.Operation,
        _ inside: inout Inside,
        at now: UInt64
    ) throws(Errno) {
        guard let failure = faults.failure else { return }
        defer {
            if case .errorState = failure { inside.evidence?.failed(&inside.machine, at: now) }
        }
        try inside.machine.fail(failure, event)
    }

    /// What follows a call that was told to be followed by ERROR: who is to hear of it, once no lock
    /// is held.
    private func fallIntoError(
        _ faults: FaultedCall,
        _ inside: inout Inside,
        at now: UInt64
    ) -> (@Sendable (DeviceSignal) -> Void)? {
        guard faults.isFollowedByError else { return nil }
        inside.machine.fallIntoError()
        inside.evidence?.failed(&inside.machine, at: now)
        guard let handler = inside.signalHandler else { return nil }
        return { [signals] signal in signals.async { handler(signal) } }
    }

    // MARK: Signals and faults

    func setSignalHandler(
        _ handler: @escaping @Sendable (DeviceSignal) -> Void,
        for session: SimulatedSession
    ) {
        inside.withLock { inside in
            guard inside.opener == ObjectIdentifier(session) else { return }
            inside.signalHandler = handler
        }
    }

    /// Signals the holder of the device as the kernel would.
    func signal(_ signal: DeviceSignal) {
        guard let handler = inside.withLock({ $0.signalHandler }) else { return }
        signals.async { handler(signal) }
    }

    /// Adds a fault and who is told when it is met; false when there are too many.
    func inject(_ fault: Fault, _ onMeeting: (@Sendable () -> Void)?) -> Bool {
        inside.withLock { $0.machine.add(fault, onMeeting) }
    }

    // MARK: Facts

    var support: MigrationSupport { spec.profile.flags.map(MigrationSupport.stateStream) ?? .none }

    /// What is known of the device.
    ///
    /// Waits for no SET.
    func record() -> DeviceRecord {
        let made = inside.withLock { inside in
            inside.machine.advance(to: now)
            if let made = inside.lastRecord, made.changeCount == inside.machine.changeCount {
                return made
            }
            let shown = Shown(
                state: inside.machine.state,
                digest: inside.machine.digest(at: now),
                stoppedDigest: inside.machine.stoppedDigest()
            )
            return record(shown, &inside)
        }
        return made.record
    }

    /// The same when the digests are known and nobody uses the device just now; else nil.
    func rememberedRecord() -> DeviceRecord? {
        // Other readers hold the lock for a fraction of what it costs to ask another thread.
        for _ in 0..<Self.tryCount {
            if let made = lastRecordIfAvailable() { return made?.record }
        }
        return nil
    }

    private static let tryCount = 64

    /// Nil when the lock is taken.
    private func lastRecordIfAvailable() -> MadeRecord?? {
        inside.withLockIfAvailable { inside in
            guard
                let digests = inside.machine.knownDigests(at: clock.monotonicNanoseconds())
            else { return nil }
            let shown = Shown(
                state: inside.machine.state,
                digest: digests.now,
                stoppedDigest: digests.stopped
            )
            return self.record(shown, &inside)
        }
    }

    /// What of a device changes.
    private struct Shown: Hashable, Sendable {
        let state: DeviceState
        let digest: String
        let stoppedDigest: String?
    }

    /// A record, and what it was made of.
    ///
    /// A class: one reference is all that is copied while the lock is held.
    private final class MadeRecord: Sendable {
        let shown: Shown
        let record: DeviceRecord
        /// The machine's, when the record was true.
        let changeCount: UInt64

        init(_ shown: Shown, _ record: DeviceRecord, _ changeCount: UInt64) {
            self.shown = shown
            self.record = record
            self.changeCount = changeCount
        }
    }

    /// The last record again when nothing of it has changed.
    private func record(_ shown: Shown, _ inside: inout Inside) -> MadeRecord {
        let count = inside.machine.changeCount
        let last = inside.lastRecord
        if let last, last.shown == shown, last.changeCount == count { return last }
        let record = last.flatMap { $0.shown == shown ? $0.record : nil } ?? makeRecord(shown)
        let made = MadeRecord(shown, record, count)
        inside.lastRecord = made
        return made
    }

    private func makeRecord(_ shown: Shown) -> DeviceRecord {
        var record = DeviceRecord(
            id: id,
            backend: .simulated,
            bus: .simulated,
            address: id.text,
            support: support
        )
        record.driver = spec.profile.driver
        record.vendorID = spec.profile.vendorID
        record.deviceID = spec.profile.deviceID
        if spec.profile.flags != nil { record.debugState = .known(shown.state) }
        record.simulation = SimulationFacts(
            profile: spec.profile.name,
            seed: spec.seed,
            stateByteCount: spec.stateByteCount,
            dirtyBytesPerSecond: spec.dirtyBytesPerSecond,
            contentDigest: shown.digest,
            stoppedContentDigest: shown.stoppedDigest
        )
        return record
    }
}
