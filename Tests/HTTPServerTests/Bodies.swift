import Dispatch
import ManagementAPI
import Synchronization
import Testing

/// A body whose bytes the test gives bit by bit.
final class GivenBody: StreamedBody {
    let byteCount: UInt64?
    /// Its lock is a leaf.
    private let state = Mutex(State())
    private let ended = DispatchSemaphore(value: 0)
    private let isWaited = DispatchSemaphore(value: 0)

    private struct State {
        var bytes: [UInt8] = []
        var last: StreamedRead?
        var whenReady: (@Sendable () -> Void)?
        var endCount = 0
        var readCount = 0
    }

    init(byteCount: UInt64? = nil) { self.byteCount = byteCount }

    var answer: APIResponse {
        APIResponse(status: 200, headers: [("Content-Type", "text/event-stream")], streaming: self)
    }

    var endCount: Int { state.withLock { $0.endCount } }
    var readCount: Int { state.withLock { $0.readCount } }

    func give(_ text: String) { change { $0.bytes += Array(text.utf8) } }

    func end(_ last: StreamedRead = .end) { change { $0.last = last } }

    private func change(_ change: (inout State) -> Void) {
        let whenReady = state.withLock { state in
            change(&state)
            defer { state.whenReady = nil }
            return state.whenReady
        }
        whenReady?()
    }

    /// Waits until the transport waits for bytes.
    func awaitWait() throws { try #require(isWaited.wait(timeout: .now() + 20) == .success) }

    /// Waits until the transport has let go of it.
    func awaitEnd() throws { try #require(ended.wait(timeout: .now() + 20) == .success) }

    func read(
        into buffer: UnsafeMutableRawBufferPointer,
        whenReady: @escaping @Sendable () -> Void
    ) -> StreamedRead {
        state.withLock { state in
            state.readCount += 1
            let count = min(state.bytes.count, buffer.count)
            if count > 0 {
                unsafe buffer.copyBytes(from: state.bytes[..<count])
                state.bytes.removeFirst(count)
                return .bytes(count)
            }
            if let last = state.last { return last }
            state.whenReady = whenReady
            isWaited.signal()
            return .later
        }
    }

    func didEnd() {
        state.withLock { $0.endCount += 1 }
        ended.signal()
    }
}

/// A long body that is always there: byte `n` is `n % 251`.
final class LongBody: StreamedBody {
    let byteCount: UInt64?
    private let length: Int
    private let offset = Atomic(0)
    private let ends = Atomic(0)
    private let ended = DispatchSemaphore(value: 0)

    init(_ length: Int, isCounted: Bool) {
        self.length = length
        self.byteCount = isCounted ? UInt64(length) : nil
    }

    var readByteCount: Int { offset.load(ordering: .relaxed) }
    var endCount: Int { ends.load(ordering: .relaxed) }

    func awaitEnd() throws { try #require(ended.wait(timeout: .now() + 20) == .success) }

    static func byte(_ index: Int) -> UInt8 { UInt8(index % 251) }

    func read(
        into buffer: UnsafeMutableRawBufferPointer,
        whenReady: @escaping @Sendable () -> Void
    ) -> StreamedRead {
        let start = readByteCount
        let count = min(buffer.count, length - start)
        guard count > 0 else { return .end }
        for index in 0..<count { unsafe buffer[index] = Self.byte(start + index) }
        offset.store(start + count, ordering: .relaxed)
        return .bytes(count)
    }

    func didEnd() {
        ends.add(1, ordering: .relaxed)
        ended.signal()
    }
}

/// Takes bodies as fast as the test lets it.
final class TestSink: RequestBodySink {
    /// Its lock is a leaf.
    private let state = Mutex(State())
    private let isOffered = DispatchSemaphore(value: 0)
    private let isTaken = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)
    private let refusesAfter: Int?

    struct State {
        var taken: [UInt8] = []
        /// Bytes it takes before it wants to wait.
        var room = Int.max
        var whenReady: (@Sendable () -> Void)?
        var finishCount = 0
        var abandonCount = 0
    }

    init(room: Int = Int.max, refusesAfter: Int? = nil) {
        self.refusesAfter = refusesAfter
        state.withLock { $0.room = room }
    }

    var taken: [UInt8] { state.withLock { $0.taken } }
    var finishCount: Int { state.withLock { $0.finishCount } }
    var abandonCount: Int { state.withLock { $0.abandonCount } }

    /// Waits until the transport waits for room.
    func awaitOffer() throws { try #require(isOffered.wait(timeout: .now() + 20) == .success) }

    /// Waits until it has taken another part, or no more will come.
    func awaitPart() throws { try #require(isTaken.wait(timeout: .now() + 20) == .success) }

    /// Waits until the transport has finished or abandoned it.
    func awaitEnd() throws { try #require(ended.wait(timeout: .now() + 20) == .success) }

    func makeRoom(_ room: Int) {
        let whenReady = state.withLock { state in
            state.room = room
            defer { state.whenReady = nil }
            return state.whenReady
        }
        whenReady?()
    }

    func take(
        _ bytes: UnsafeRawBufferPointer,
        whenReady: @escaping @Sendable () -> Void
    ) -> SinkAnswer {
        state.withLock { state in
            if let refusesAfter, state.taken.count + bytes.count > refusesAfter {
                return .refused(ServerUnderTest.RequestLog.response(507, "full"))
            }
            guard bytes.count <= state.room else {
                state.whenReady = whenReady
                isOffered.signal()
                return .later
            }
            if state.room != .max { state.room -= bytes.count }
            unsafe state.taken.append(contentsOf: bytes)
            isTaken.signal()
            return .taken
        }
    }

    func finish(reply: @escaping @Sendable (APIResponse) -> Void) {
        let count = state.withLock { state in
            state.finishCount += 1
            return state.taken.count
        }
        ended.signal()
        reply(ServerUnderTest.RequestLog.response(201, "took \(count)"))
    }

    func abandon() {
        state.withLock { $0.abandonCount += 1 }
        isTaken.signal()
        ended.signal()
    }
}
