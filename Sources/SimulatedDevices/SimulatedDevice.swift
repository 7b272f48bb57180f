internal import MigrationCore
internal import MigrationPorts
internal import Synchronization

/// One simulated device, open or not.
final class SimulatedDevice: Sendable {
    let id: DeviceID
    let spec: SimulationSpec
    let clock: any HostClock
    /// The driver's own state mutex: held for a whole SET with its waits, so that a GET meanwhile
    /// waits, as in the kernel.
    ///
    /// Guards nothing but that order. Taken before `inside`.
    let stateLock = Mutex<Void>(())
    /// Guards everything the device is.
    ///
    /// Taken last, and held for no wait.
    private let inside: Mutex<Inside>

    private struct Inside {
        var machine: SimulatedMachine
        /// The session that has the device open.
        var opener: ObjectIdentifier?
        /// Whether it was never open: it still has the content of its seed.
        var isUntouched = true
        var signalHandler: (@Sendable (DeviceSignal) -> Void)?
        /// The record made last, and of what.
        var lastRecord: (of: Shown, DeviceRecord)?
    }

    init(_ id: DeviceID, number: Int, _ spec: SimulationSpec, _ clock: any HostClock) {
        self.id = id
        self.spec = spec
        self.clock = clock
        self.inside = Mutex(
            Inside(
                machine: SimulatedMachine(
                    spec,
                    deviceSeed: PagePattern.mix(spec.seed) ^ PagePattern.mix(~UInt64(number)),
                    faults: spec.faults.filter { $0.device == nil || $0.device == id },
                    at: clock.monotonicNanoseconds()
                )
            )
        )
    }

    /// Opens the device for a session: a reset, like the first open of a PCI device.
    func open(for session: SimulatedSession) throws(Errno) {
        try inside.withLock { inside throws(Errno) in
            guard inside.opener == nil else { throw .busy }
            try inside.machine.open()
            inside.opener = ObjectIdentifier(session)
            inside.isUntouched = false
        }
    }

    /// Opens a device that was never open, with the content of its seed.
    func openUntouched(for session: SimulatedSession) -> Bool {
        inside.withLock { inside in
            guard inside.isUntouched else { return false }
            inside.opener = ObjectIdentifier(session)
            inside.isUntouched = false
            return true
        }
    }

    /// The last close.
    ///
    /// Does nothing for a session that does not have the device open.
    func close(for session: SimulatedSession) {
        inside.withLock { inside in
            guard inside.opener == ObjectIdentifier(session) else { return }
            inside.opener = nil
            inside.signalHandler = nil
            inside.machine.loseContent()
        }
    }

    var isOpen: Bool { inside.withLock { $0.opener != nil } }

    /// Uses the machine on behalf of a session; ENODEV when that is closed.
    func withMachine<Answer: Sendable>(
        for session: SimulatedSession,
        _ body: (inout SimulatedMachine, UInt64) throws(Errno) -> Answer
    ) throws(Errno) -> Answer {
        try inside.withLock { inside throws(Errno) in
            guard inside.opener == ObjectIdentifier(session) else { throw .noDevice }
            return try body(&inside.machine, clock.monotonicNanoseconds())
        }
    }

    /// Uses the machine on behalf of a stream, which knows by itself whether it is dead.
    func withMachine<Answer: Sendable>(
        _ body: (inout SimulatedMachine, UInt64) throws(Errno) -> Answer
    ) throws(Errno) -> Answer {
        try inside.withLock { inside throws(Errno) in
            try body(&inside.machine, clock.monotonicNanoseconds())
        }
    }

    func setSignalHandler(
        _ handler: @escaping @Sendable (DeviceSignal) -> Void,
        for session: SimulatedSession
    ) {
        inside.withLock { inside in
            guard inside.opener == ObjectIdentifier(session) else { return }
            inside.signalHandler = handler
        }
    }

    var signalHandler: (@Sendable (DeviceSignal) -> Void)? {
        inside.withLock { $0.signalHandler }
    }

    func inject(_ fault: Fault) { inside.withLock { $0.machine.add(fault) } }

    var support: MigrationSupport { spec.profile.flags.map(MigrationSupport.stateStream) ?? .none }

    /// What is known of the device.
    ///
    /// Waits for no SET.
    func record() -> DeviceRecord {
        inside.withLock { inside in
            let shown = Shown(
                state: inside.machine.state,
                digest: inside.machine.digest(at: clock.monotonicNanoseconds()),
                stoppedDigest: inside.machine.stoppedDigest()
            )
            return record(shown, &inside)
        }
    }

    /// The same when the digests are known and nobody uses the device just now; else nil.
    func rememberedRecord() -> DeviceRecord? {
        let record: DeviceRecord?? = inside.withLockIfAvailable { inside in
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
        return record ?? nil
    }

    /// What of a device changes.
    private struct Shown: Hashable, Sendable {
        let state: DeviceState
        let digest: String
        let stoppedDigest: String?
    }

    /// The last record again when nothing of it has changed.
    private func record(_ shown: Shown, _ inside: inout Inside) -> DeviceRecord {
        if let (known, record) = inside.lastRecord, known == shown { return record }
        let record = makeRecord(shown)
        inside.lastRecord = (shown, record)
        return record
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
