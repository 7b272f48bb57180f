import MigrationCore
import MigrationPorts
import SimulatedDevices
import Synchronization
import SystemIO

/// Simulated devices of which one call can be made to fail, in every way a kernel's can.
final class TapedBackend: DeviceBackend {
    enum Fault: Hashable, Sendable, CaseIterable {
        /// The call has no effect and fails with EIO.
        case refused
        /// It has its effect and fails with EMFILE; a stream it opened is lost.
        case lateEMFILE
        /// The device falls into ERROR, and its content is gone.
        case errorState
        /// Somebody resets the device before the call, where a GET can tell.
        case resetBehind
        /// The device is gone for good: ENODEV, now and later.
        case gone
        /// GET shows a number nobody knows until a SET works; the call fails with EIO.
        case strange
    }

    let tape: Tape
    let simulated: SimulatedBackend
    // Guards the plan; a leaf.
    private let plan = Mutex<(number: Int, fault: Fault)?>(nil)
    // Guards the observer; a leaf.
    private let observer = Mutex<(@Sendable (DeviceID, DeviceState) -> Void)?>(nil)
    // Guards the observer; a leaf.
    private let preCopyObserver = Mutex<(@Sendable () -> Void)?>(nil)
    // Guards who has the devices open; a leaf.
    private let heldBy = Mutex<[Problem.Holder]>([])
    // Guards what devices that are handed in are in; a leaf.
    private let adoptedState = Mutex(DeviceState.running)
    // Guards the file all sessions have in common, as devices of one group do; a leaf.
    private let sharedFile = Mutex<KeptFile?>(nil)
    // Guards every session there was; a leaf.
    private let opened = Mutex<[TapedSession]>([])

    init(_ simulated: SimulatedBackend, _ tape: Tape) {
        self.simulated = simulated
        self.tape = tape
    }

    /// Makes the call of this number, over all devices, fail.
    func plan(_ fault: Fault, at number: Int) { plan.withLock { $0 = (number, fault) } }

    var sessions: [TapedSession] { opened.withLock { $0 } }

    /// Calls somebody before every SET, on the thread that makes it.
    func observe(_ observer: @escaping @Sendable (DeviceID, DeviceState) -> Void) {
        self.observer.withLock { $0 = observer }
    }

    /// Calls somebody before every VFIO_MIG_GET_PRECOPY_INFO.
    func observePreCopyInfo(_ observer: @escaping @Sendable () -> Void) {
        preCopyObserver.withLock { $0 = observer }
    }

    func willAskPreCopyInfo() { preCopyObserver.withLock { $0 }?() }

    func willSet(_ device: DeviceID, _ state: DeviceState) {
        observer.withLock { $0 }?(device, state)
    }

    /// The session that has the device, or had it last.
    func session(_ device: String) -> TapedSession? {
        sessions.last { $0.device.text == device }
    }

    func fault(for number: Int?) -> Fault? {
        plan.withLock { $0?.number == number ? $0?.fault : nil }
    }

    func devices() -> [DeviceRecord] { simulated.devices() }
    func device(_ id: DeviceID) -> DeviceRecord? { simulated.device(id) }
    func probe(_ id: DeviceID) throws(Problem) -> MigrationSupport { try simulated.probe(id) }
    func holders(of id: DeviceID) -> [Problem.Holder] { heldBy.withLock { $0 } }
    /// From now on other processes have every device open.
    func hold(by holders: [Problem.Holder]) { heldBy.withLock { $0 = holders } }
    var remakesContent: Bool { simulated.remakesContent }
    func initialSessions() -> [any DeviceSession] {
        simulated.initialSessions().map { taped($0) }
    }

    func open(
        _ id: DeviceID,
        joining companion: (any DeviceSession)?
    ) throws(Problem) -> any DeviceSession {
        taped(try simulated.open(id, joining: nil))
    }

    func adopt(
        _ id: DeviceID,
        _ descriptors: consuming DeviceDescriptors
    ) throws(Problem) -> any DeviceSession {
        // Any descriptors will do, so that handing in and out can be tested without a kernel's.
        let session = try simulated.open(id, joining: nil)
        let state = adoptedState.withLock { $0 }
        do throws(Errno) {
            _ = try session.set(state)
        } catch {
            throw Problem(.deviceFailed, "\(id): \(error.name)")
        }
        return taped(session, HeldDescriptors(descriptors))
    }

    func resume(_ id: DeviceID, _ files: [KeptFile]) throws(Problem) -> any DeviceSession {
        try simulated.resume(id, files)
    }

    /// The state the next devices are in that are handed in.
    func adoptDevices(in state: DeviceState) { adoptedState.withLock { $0 = state } }

    /// From now on every session has this file, as if all devices were of one group.
    func share(_ file: KeptFile) { sharedFile.withLock { $0 = file } }

    fileprivate var sharedFiles: [KeptFile] { sharedFile.withLock { $0 }.map { [$0] } ?? [] }

    private func taped(
        _ session: any DeviceSession,
        _ descriptors: HeldDescriptors? = nil
    ) -> any DeviceSession {
        let taped = TapedSession(session, self, descriptors)
        opened.withLock { $0.append(taped) }
        return taped
    }
}

/// A session that notes what is called on it, and fails where it is told to.
final class TapedSession: DeviceSession {
    private struct State {
        var isInError = false
        var isGone = false
        var strangeNumber: UInt32?
        var isClosed = false
        var openStreams = 0
    }

    let session: any DeviceSession
    let backend: TapedBackend
    // Guards what the faults did; a leaf.
    private let fate = Mutex(State())

    private let descriptors: HeldDescriptors?
    // Guards the handler; a leaf.
    private let handlers = Mutex<(@Sendable (DeviceSignal) -> Void)?>(nil)

    init(
        _ session: any DeviceSession,
        _ backend: TapedBackend,
        _ descriptors: HeldDescriptors?
    ) {
        self.session = session
        self.backend = backend
        self.descriptors = descriptors
    }

    var device: DeviceID { session.device }
    var support: MigrationSupport { session.support }
    var isClosed: Bool { fate.withLock { $0.isClosed } }
    var isGone: Bool { fate.withLock { $0.isGone } }
    var isInError: Bool { fate.withLock { $0.isInError } }
    var openStreamCount: Int { fate.withLock { $0.openStreams } }

    func state() throws(Errno) -> ReportedState {
        var reported: ReportedState?
        defer { backend.tape.note(.called(device, .get(reported))) }
        let answer = try call(.get) { () throws(Errno) in try session.state() }
        if let number = fate.withLock({ $0.strangeNumber }) {
            reported = .unknown(number)
        } else {
            reported = fate.withLock { $0.isInError } ? .known(.error) : answer
        }
        return reported ?? answer
    }

    func set(_ target: DeviceState) throws(Errno) -> (any MigrationStream)? {
        var isFailed = true
        defer { backend.tape.note(.called(device, .set(target, failed: isFailed))) }
        backend.willSet(device, target)
        if isInError { throw .invalid }
        let stream = try call(.set) { () throws(Errno) in try session.set(target) }
        fate.withLock { $0.strangeNumber = nil }
        isFailed = false
        guard let stream else { return nil }
        fate.withLock { $0.openStreams += 1 }
        return TapedStream(stream, self)
    }

    func stopCopyByteCount() throws(Errno) -> UInt64 {
        try call(.size) { () throws(Errno) in try session.stopCopyByteCount() }
    }

    func detach() throws(Errno) {
        try session.detach()
        backend.tape.note(.called(device, .detach))
    }

    func reset() throws(Errno) {
        try call(.reset) { () throws(Errno) in try session.reset() }
        fate.withLock { state in
            state.isInError = false
            state.strangeNumber = nil
        }
        backend.tape.note(.called(device, .reset))
    }

    func onSignal(_ handler: @escaping @Sendable (DeviceSignal) -> Void) {
        handlers.withLock { $0 = handler }
        session.onSignal(handler)
    }

    /// Signals the holder, as the kernel would, on this very thread.
    func signal(_ signal: DeviceSignal) { handlers.withLock { $0 }?(signal) }

    func duplicateDescriptors() throws(Errno) -> DeviceDescriptors? {
        try descriptors?.duplicates()
    }

    func keptFiles() throws(Errno) -> [KeptFile] {
        try session.keptFiles() + backend.sharedFiles
    }

    func close() {
        fate.withLock { $0.isClosed = true }
        backend.tape.note(.called(device, .closed))
        session.close()
    }

    func didCloseStream() { fate.withLock { $0.openStreams -= 1 } }

    enum Kind {
        case get
        case set
        case size
        case reset
        case stream
    }

    /// Makes a call with the fault that is planned for it.
    func call<Answer>(
        _ kind: Kind,
        _ body: () throws(Errno) -> Answer
    ) throws(Errno) -> Answer {
        if isGone { throw .noDevice }
        switch backend.fault(for: backend.tape.nextCall()) {
        case nil: return try body()
        case .refused: throw .io
        case .lateEMFILE:
            _ = try body()
            throw .tooManyOpenFiles
        case .errorState:
            try session.reset()
            fate.withLock { $0.isInError = true }
            throw .io
        case .resetBehind:
            // Between a GET and the SET behind it, or in RUNNING, nobody could tell.
            if kind != .set, try session.state() != .known(.running) { try session.reset() }
            return try body()
        case .gone:
            fate.withLock { $0.isGone = true }
            throw .noDevice
        case .strange:
            fate.withLock { $0.strangeNumber = 42 }
            throw .io
        }
    }
}

/// What was handed in with a device, to be handed out again.
final class HeldDescriptors: Sendable {
    private let descriptors: DeviceDescriptors

    init(_ descriptors: consuming DeviceDescriptors) { self.descriptors = descriptors }

    func duplicates() throws(Errno) -> DeviceDescriptors {
        DeviceDescriptors(
            descriptors.path,
            try descriptors.first.duplicate(),
            try descriptors.second.duplicate()
        )
    }
}

/// A stream of such a session.
final class TapedStream: MigrationStream {
    private let stream: any MigrationStream
    private let session: TapedSession
    private let isClosed = Atomic(false)

    init(_ stream: any MigrationStream, _ session: TapedSession) {
        self.stream = stream
        self.session = session
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try call("read") { () throws(Errno) in try unsafe stream.read(into: buffer) }
    }

    func write(_ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int {
        try call("write") { () throws(Errno) in try unsafe stream.write(buffer) }
    }

    func preCopyInfo() throws(Errno) -> PreCopyInfo {
        session.backend.willAskPreCopyInfo()
        return try call("precopy_info") { () throws(Errno) in try stream.preCopyInfo() }
    }

    func close() {
        let wasOpen = isClosed.compareExchange(
            expected: false,
            desired: true,
            ordering: .acquiringAndReleasing
        ).exchanged
        if wasOpen { session.didCloseStream() }
        stream.close()
    }

    private func call<Answer>(
        _ name: String,
        _ body: () throws(Errno) -> Answer
    ) throws(Errno) -> Answer {
        session.backend.tape.note(.called(session.device, .stream(name)))
        if session.isInError { throw .noDevice }
        return try session.call(.stream, body)
    }
}
