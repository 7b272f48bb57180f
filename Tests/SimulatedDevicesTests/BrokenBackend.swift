import BackendConformance
import MigrationCore
import MigrationPorts
import SimulatedDevices

/// A way for a backend to break its promises, laid over one that keeps them.
enum BrokenPromise: CaseIterable {
    case listsUnsorted
    case opensTwice
    case keepsContentOverClose
    case answersAfterClose
    case givesStreamForSameState
    case givesNoStream
    case acceptsError
    case refusesWithOtherErrno
    case readsDeadStreamAsEnd
    case readsResumingStream
    case endsWithNoMessage
    case answersInfoInStopCopy
    case dropsWrittenBytes
    case flipsReadBytes
    case ignoresReset
    case closesStateWithStream
    case adoptsAnything
}

/// Simulated devices with one promise broken.
final class BrokenBackend: DeviceBackend {
    private let whole: SimulatedBackend
    private let broken: BrokenPromise

    init(_ broken: BrokenPromise, over whole: SimulatedBackend) {
        self.broken = broken
        self.whole = whole
    }

    func devices() -> [DeviceRecord] {
        broken == .listsUnsorted ? whole.devices().reversed() : whole.devices()
    }

    func device(_ id: DeviceID) -> DeviceRecord? { whole.device(id) }

    func open(
        _ id: DeviceID,
        joining companion: (any DeviceSession)?
    ) throws(Problem) -> any DeviceSession {
        do {
            return BrokenSession(broken, over: try whole.open(id, joining: nil), self)
        } catch {
            guard broken == .opensTwice, error.code == .deviceBusy else { throw error }
            let spare = try SimulatedBackend([SimulationSpec(.mlx5, stateByteCount: 808)])
            guard let session = spare.initialSessions().first else { throw error }
            return session
        }
    }

    func resume(_ id: DeviceID, _ files: [KeptFile]) throws(Problem) -> any DeviceSession {
        try whole.resume(id, files)
    }

    func adopt(
        _ id: DeviceID,
        _ descriptors: consuming DeviceDescriptors
    ) throws(Problem) -> any DeviceSession {
        guard broken == .adoptsAnything else { return try whole.adopt(id, descriptors) }
        return try open(id, joining: nil)
    }

    func probe(_ id: DeviceID) throws(Problem) -> MigrationSupport { try whole.probe(id) }
    func holders(of id: DeviceID) -> [Problem.Holder] { [] }

    func initialSessions() -> [any DeviceSession] {
        whole.initialSessions().map { BrokenSession(broken, over: $0, self) }
    }
}

private final class BrokenSession: DeviceSession {
    private let broken: BrokenPromise
    private let whole: any DeviceSession
    private let backend: BrokenBackend

    init(_ broken: BrokenPromise, over whole: any DeviceSession, _ backend: BrokenBackend) {
        (self.broken, self.whole, self.backend) = (broken, whole, backend)
    }

    var device: DeviceID { whole.device }
    var support: MigrationSupport { whole.support }

    func state() throws(Errno) -> ReportedState {
        do {
            return try whole.state()
        } catch {
            guard broken == .answersAfterClose else { throw error }
            return .known(.running)
        }
    }

    func set(_ state: DeviceState) throws(Errno) -> (any MigrationStream)? {
        if broken == .acceptsError, state == .error { return nil }
        let before = try whole.state()
        do {
            let stream = try whole.set(state).map { BrokenStream(broken, over: $0, self.whole) }
            if broken == .givesNoStream { return nil }
            guard stream == nil, broken == .givesStreamForSameState, before == .known(state) else {
                return stream
            }
            // Any stream will do, for there should be none.
            return BrokenStream(broken, over: nil, whole)
        } catch {
            throw broken == .refusesWithOtherErrno ? .io : error
        }
    }

    func stopCopyByteCount() throws(Errno) -> UInt64 { try whole.stopCopyByteCount() }

    func detach() throws(Errno) { try whole.detach() }

    func reset() throws(Errno) {
        if broken != .ignoresReset { try whole.reset() }
    }

    func onSignal(_ handler: @escaping @Sendable (DeviceSignal) -> Void) {
        whole.onSignal(handler)
    }

    func duplicateDescriptors() throws(Errno) -> DeviceDescriptors? { nil }

    func keptFiles() throws(Errno) -> [KeptFile] { [] }

    func close() {
        if broken == .keepsContentOverClose { return }
        whole.close()
    }
}

private final class BrokenStream: MigrationStream {
    private let broken: BrokenPromise
    private let whole: (any MigrationStream)?
    private let session: any DeviceSession

    init(
        _ broken: BrokenPromise,
        over whole: (any MigrationStream)?,
        _ session: any DeviceSession
    ) {
        (self.broken, self.whole, self.session) = (broken, whole, session)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        guard let whole else { return 0 }
        let count: Int
        do {
            count = try unsafe whole.read(into: buffer)
        } catch {
            if broken == .readsDeadStreamAsEnd, error == .noDevice { return 0 }
            if broken == .readsResumingStream, error == .badDescriptor { return 0 }
            throw error
        }
        if broken == .endsWithNoMessage, count == 0 { throw .noMessage }
        if broken == .flipsReadBytes, count > 50 { unsafe buffer[50] ^= 1 }
        return count
    }

    func write(_ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int {
        guard let whole else { return 0 }
        guard broken == .dropsWrittenBytes, buffer.count > 8 else {
            return try unsafe whole.write(buffer)
        }
        _ = try unsafe whole.write(UnsafeRawBufferPointer(rebasing: buffer.dropLast()))
        return buffer.count
    }

    func preCopyInfo() throws(Errno) -> PreCopyInfo {
        do {
            return try whole?.preCopyInfo() ?? PreCopyInfo(initialByteCount: 0, dirtyByteCount: 0)
        } catch {
            guard broken == .answersInfoInStopCopy, error == .invalid else { throw error }
            return PreCopyInfo(initialByteCount: 0, dirtyByteCount: 0)
        }
    }

    func close() {
        whole?.close()
        if broken == .closesStateWithStream { _ = try? session.set(.running) }
    }
}
