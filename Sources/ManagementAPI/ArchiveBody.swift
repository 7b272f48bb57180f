internal import Dispatch
internal import JobEngine
internal import MigrationCore
internal import Synchronization

/// An image on its way out: read ahead of the client on a queue of its own, never more than two
/// buffers.
final class ArchiveBody: StreamedBody {
    /// Bytes read at a time; twice as many are held.
    static let bufferByteCount = 512 << 10

    private struct Filled {
        var bytes: [UInt8]
        var rest: Range<Int>
    }

    private struct State {
        /// Nil once nobody wants more.
        var download: ImageDownload?
        var free: [[UInt8]]
        /// In their order.
        var filled: [Filled] = []
        /// The next byte to be read of the disk.
        var offset: UInt64
        var isReading = false
        var hasFailed = false
        var whenReady: (@Sendable () -> Void)?
    }

    private let end: UInt64
    let byteCount: UInt64?
    private let queue = DispatchQueue(label: "ferry.download")
    /// Guards the buffers and who waits for them.
    ///
    /// A leaf: the disk is read and the waiting one called outside of it.
    private let state: Mutex<State>

    /// The bytes of a range, which is within the archive.
    ///
    /// Nothing is read before they are asked for.
    init(_ download: ImageDownload, _ range: Range<UInt64>) {
        end = range.upperBound
        byteCount = UInt64(range.count)
        state = Mutex(State(download: download, free: [[], []], offset: range.lowerBound))
    }

    func read(
        into buffer: UnsafeMutableRawBufferPointer,
        whenReady: @escaping @Sendable () -> Void
    ) -> StreamedRead {
        let (answer, startsReading) = state.withLock { state in
            let answer = unsafe take(into: buffer, &state)
            if answer == .later { state.whenReady = whenReady }
            let starts =
                !state.isReading && !state.hasFailed && !state.free.isEmpty && state.offset < end
                && state.download != nil
            if starts { state.isReading = true }
            return (answer, starts)
        }
        if startsReading { queue.async { self.readAhead() } }
        return answer
    }

    func didEnd() {
        // Let go after the lock: it closes files.
        let gone = state.withLock { state in
            let gone = (state.download, state.whenReady)
            state.download = nil
            state.whenReady = nil
            state.filled = []
            state.free = []
            return gone
        }
        withExtendedLifetime(gone) {}
    }

    private func take(
        into buffer: UnsafeMutableRawBufferPointer,
        _ state: inout State
    ) -> StreamedRead {
        guard var next = state.filled.first else {
            if state.hasFailed { return .failed }
            return state.offset == end && !state.isReading ? .end : .later
        }
        let count = min(buffer.count, next.rest.count)
        unsafe buffer.copyBytes(from: next.bytes[next.rest].prefix(count))
        next.rest = (next.rest.lowerBound + count)..<next.rest.upperBound
        if next.rest.isEmpty {
            state.filled.removeFirst()
            state.free.append(next.bytes)
        } else {
            state.filled[0].rest = next.rest
        }
        return .bytes(count)
    }

    /// Fills buffers as long as there are empty ones.
    private func readAhead() {
        while var next = nextRead() {
            let count = next.read(until: end)
            let whenReady = state.withLock { state in
                if let count {
                    state.offset += UInt64(count)
                    state.filled.append(Filled(bytes: next.bytes, rest: 0..<count))
                } else {
                    state.hasFailed = true
                }
                if state.offset == end { state.isReading = false }
                let waiting = state.whenReady
                state.whenReady = nil
                return waiting
            }
            whenReady?()
        }
    }

    private func nextRead() -> NextRead? {
        state.withLock { state in
            guard let download = state.download, !state.hasFailed, state.offset < end,
                let empty = state.free.popLast()
            else {
                state.isReading = false
                return nil
            }
            return NextRead(download: download, bytes: empty, offset: state.offset)
        }
    }
}

/// One read of the disk.
private struct NextRead {
    let download: ImageDownload
    /// A buffer that was used before, or none yet.
    var bytes: [UInt8]
    let offset: UInt64

    /// Fills the buffer with what follows, up to an end; nil when it cannot be read.
    mutating func read(until end: UInt64) -> Int? {
        if bytes.isEmpty { bytes = [UInt8](repeating: 0, count: ArchiveBody.bufferByteCount) }
        let wanted = min(bytes.count, Int(clamping: end - offset))
        do throws(Problem) {
            let count = try unsafe bytes.withUnsafeMutableBufferPointer { bytes throws(Problem) in
                try unsafe download.read(
                    into: UnsafeMutableRawBufferPointer(
                        UnsafeMutableBufferPointer(rebasing: bytes[..<wanted])
                    ),
                    at: offset
                )
            }
            return count > 0 ? count : nil
        } catch {
            return nil
        }
    }
}
