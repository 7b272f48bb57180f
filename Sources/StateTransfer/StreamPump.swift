package import MigrationCore
package import MigrationPorts
internal import Synchronization
internal import SystemIO

/// Which end of the stream to read to.
package enum DrainPhase: Hashable, Sendable {
    /// To the temporary end of PRE_COPY and PRE_COPY_P2P: ENOMSG or 0, which drivers use alike.
    case preCopy
    /// To the end of STOP_COPY: 0, and nothing else.
    case stopCopy
}

/// What one drain did.
package struct Drained: Hashable, Sendable {
    package let byteCount: UInt64
    /// Time spent reading and writing, without the waits for a rate limit: what these bytes would
    /// take in the downtime.
    package let busyNanoseconds: UInt64
    package let outcome: Outcome

    package enum Outcome: Hashable, Sendable {
        /// The end that the phase has.
        case end
        /// `shouldStop` said so; the stream can be drained on.
        case stopped
    }
}

/// A transfer that failed: on which side, with what errno.
package struct TransferFailure: Error, Hashable, Sendable {
    /// `source` when reading failed, `target` when writing did.
    package let side: Side
    package let errno: Errno

    /// The system call that failed.
    package var operation: String { side == .source ? "read" : "write" }

    package init(side: Side, errno: Errno) {
        self.side = side
        self.errno = errno
    }
}

/// Moves the bytes of one device's stream into one sink, over all phases, and keeps the account
/// of what was read, to be held against what the sink took.
///
/// Blocks in the reads and writes: for a worker's thread only.
package final class StreamPump: Sendable {
    /// Size of one read; a stream's private memory is this and little more.
    package static let chunkByteCount = 1 << 20

    package let sink: any ByteSink
    /// What was read so far.
    package let read: Tally
    private let pace: RateLimiter?
    private let clock: any HostClock
    /// Guards the buffer for the whole of a drain, so that two drains cannot mix their bytes.
    ///
    /// The outermost lock of this target; held across reads, writes and the limiter's waits.
    private let chunk = Mutex(Chunk())

    /// The buffer, Sendable because it is reached through the lock alone and no pointer into it
    /// outlives a call of the stream or the sink.
    private struct Chunk: @unchecked Sendable {
        let buffer = IOBuffer(byteCount: StreamPump.chunkByteCount)
    }

    /// A pump of one stream.
    ///
    /// `pace` holds for pre-copy only.
    package init(
        into sink: any ByteSink,
        pace: RateLimiter? = nil,
        clock: any HostClock = MachineClock()
    ) throws(Problem) {
        self.sink = sink
        self.pace = pace
        self.clock = clock
        self.read = try Tally()
    }

    /// Moves bytes until the phase's end, or until `shouldStop`, asked before every chunk, is true.
    ///
    /// `onBytes` hears of every chunk the sink took.
    package func drain(
        from stream: any MigrationStream,
        phase: DrainPhase,
        shouldStop: () -> Bool,
        onBytes: (Int) -> Void
    ) throws(TransferFailure) -> Drained {
        try unsafe move(phase: phase, shouldStop: shouldStop, onBytes: onBytes) {
            buffer throws(Errno) in try unsafe stream.read(into: buffer)
        }
    }

    /// Moves the whole verified content of an image.
    ///
    /// What arrived is judged by ``end()`` and `ImageReader.finish(_:)`.
    package func load(
        from reader: ImageReader,
        shouldStop: () -> Bool,
        onBytes: (Int) -> Void
    ) throws(TransferFailure) -> Drained {
        try unsafe move(phase: .stopCopy, shouldStop: shouldStop, onBytes: onBytes) {
            buffer throws(Errno) in try unsafe reader.read(into: buffer)
        }
    }

    /// The end record: count and digest of what was read, which the sink took without a difference.
    ///
    /// Throws `stream-mismatch` when there is one.
    package func end() throws(Problem) -> EndRecord {
        let record = try read.end()
        let accepted = sink.acceptedByteCount
        guard accepted == record.byteCount else {
            throw Problem(
                .streamMismatch,
                "\(record.byteCount) bytes were read of the stream and \(accepted) accepted."
            )
        }
        if let digest = try sink.acceptedDigest(), digest != record.sha256 {
            throw Problem(
                .streamMismatch,
                "The digest of the \(accepted) bytes accepted differs from that of those read."
            )
        }
        return record
    }

    private func move(
        phase: DrainPhase,
        shouldStop: () -> Bool,
        onBytes: (Int) -> Void,
        read: (UnsafeMutableRawBufferPointer) throws(Errno) -> Int
    ) throws(TransferFailure) -> Drained {
        try chunk.withLock { chunk throws(TransferFailure) in
            var byteCount: UInt64 = 0
            var busyNanoseconds: UInt64 = 0
            while true {
                let admitted = admit(phase, shouldStop)
                if shouldStop() {
                    giveBack(admitted, phase)
                    return Drained(
                        byteCount: byteCount,
                        busyNanoseconds: busyNanoseconds,
                        outcome: .stopped
                    )
                }
                let start = clock.monotonicNanoseconds()
                let count = try unsafe moveChunk(
                    UnsafeMutableRawBufferPointer(rebasing: chunk.buffer.bytes[..<admitted]),
                    phase,
                    read
                )
                busyNanoseconds += clock.monotonicNanoseconds() - start
                giveBack(admitted - count, phase)
                if count == 0 {
                    return Drained(
                        byteCount: byteCount,
                        busyNanoseconds: busyNanoseconds,
                        outcome: .end
                    )
                }
                byteCount += UInt64(count)
                onBytes(count)
            }
        }
    }

    /// How many bytes the next chunk may have.
    private func admit(_ phase: DrainPhase, _ shouldStop: () -> Bool) -> Int {
        guard phase == .preCopy, let pace else { return Self.chunkByteCount }
        return pace.admit(upTo: Self.chunkByteCount, unless: shouldStop)
    }

    private func giveBack(_ byteCount: Int, _ phase: DrainPhase) {
        if phase == .preCopy { pace?.giveBack(byteCount) }
    }

    /// Reads once and writes that all; 0 is the phase's end.
    private func moveChunk(
        _ buffer: UnsafeMutableRawBufferPointer,
        _ phase: DrainPhase,
        _ read: (UnsafeMutableRawBufferPointer) throws(Errno) -> Int
    ) throws(TransferFailure) -> Int {
        let count: Int
        do throws(Errno) {
            count = try unsafe read(buffer)
        } catch {
            if phase == .preCopy, error == .noMessage { return 0 }
            throw TransferFailure(side: .source, errno: error)
        }
        if count == 0 { return 0 }
        guard (1...buffer.count).contains(count) else {
            throw TransferFailure(side: .source, errno: .protocolError)
        }
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
        unsafe self.read.add(bytes)
        do throws(Errno) {
            try unsafe sink.write(bytes)
        } catch {
            throw TransferFailure(side: .target, errno: error)
        }
        return count
    }
}
