import MigrationCore
import MigrationPorts
import SimulatedDevices
import Synchronization

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
    // Guards every session there was; a leaf.
    private let opened = Mutex<[TapedSession]>([])

    init(_ simulated: SimulatedBackend, _ tape: Tape) {
        self.simulated = simulated
        self.tape = tape
    }

    /// Makes the call of this number, over all devices, fail.
    func plan(_ fault: Fault, at number: Int) { plan.withLock { $0 = (number, fault) } }

    var sessions: [TapedSession] { opened.withLock { $0 } }

    func fault(for number: Int?) -> Fault? {
        plan.withLock { $0?.number == number ? $0?.fault : nil }
    }

    func devices() -> [DeviceRecord] { simulated.devices() }
    func device(_ id: DeviceID) -> DeviceRecord? { simulated.device(id) }
    func probe(_ id: DeviceID) throws(Problem) -> MigrationSupport { try simulated.probe(id) }
    func holders(of id: DeviceID) -> [Problem.Holder] { simulated.holders(of: id) }
    func initialSessions() -> [any DeviceSession] { simulated.initialSessions().map(taped) }

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
        try simulated.adopt(id, descriptors)
    }

    private func taped(_ session: any DeviceSession) -> any DeviceSession {
        let taped = TapedSession(session, self)
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

    init(_ session: any DeviceSession, _ backend: TapedBackend) {
        self.session = session
        self.backend = backend
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

    func reset() throws(Errno) {
        try call(.reset) { () throws(Errno) in try session.reset() }
        fate.withLock { state in
            state.isInError = false
            state.strangeNumber = nil
        }
        backend.tape.note(.called(device, .reset))
    }

    func onSignal(_ handler: @escaping @Sendable (DeviceSignal) -> Void) {
        session.onSignal(handler)
    }

    func duplicateDescriptors() throws(Errno) -> DeviceDescriptors? { nil }

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
        try call("precopy_info") { () throws(Errno) in try stream.preCopyInfo() }
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
