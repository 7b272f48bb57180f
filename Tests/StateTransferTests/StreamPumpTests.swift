import Glibc
import MigrationCore
import StateTransfer
import SystemIO
import Testing

@Suite("StreamPump")
struct StreamPumpTests {
    private let never = { false }
    private let ignore: (Int) -> Void = { _ in }

    @Test("what is read arrives whole and in order, wherever reads and writes are split")
    func randomSplits() throws {
        for seed in UInt64(1)...20 {
            var generator = SeededGenerator(seed: seed)
            let content = generator.bytes(Int.random(in: 1...40_000, using: &generator))
            var steps: [ScriptedStream.Step] = []
            var rest = content[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...9000, using: &generator))
                steps.append(.bytes(Array(piece)))
                rest = rest.dropFirst(piece.count)
            }
            let target = ScriptedStream(writeLimit: { 1 + ($0 &* 7919) % 1500 })
            let pump = try StreamPump(into: StreamSink(target))
            let drained = try pump.drain(
                from: ScriptedStream(steps),
                phase: .stopCopy,
                shouldStop: never,
                onBytes: ignore
            )
            #expect(drained.byteCount == UInt64(content.count))
            #expect(drained.outcome == .end)
            #expect(target.accepted == content)
            let digest = try sha256(content)
            #expect(
                try pump.end() == EndRecord(byteCount: UInt64(content.count), sha256: digest)
            )
        }
    }

    @Test("a chunk is never larger than the buffer", arguments: [1 << 20, (1 << 20) + 1, 3 << 20])
    func chunks(byteCount: Int) throws {
        let stream = ScriptedStream([.bytes([UInt8](repeating: 9, count: byteCount))])
        let target = ScriptedStream()
        let pump = try StreamPump(into: StreamSink(target))
        _ = try pump.drain(from: stream, phase: .stopCopy, shouldStop: never, onBytes: ignore)
        #expect(target.accepted.count == byteCount)
        #expect(stream.readSizes.allSatisfy { $0 == 1 << 20 })
    }

    @Test("in pre-copy ENOMSG and 0 are the same temporary end", arguments: [true, false])
    func temporaryEnd(isMessage: Bool) throws {
        let end: ScriptedStream.Step = isMessage ? .fails(.noMessage) : .end
        let stream = ScriptedStream([.bytes([1, 2]), end, .bytes([3]), end, end, .bytes([4])])
        let target = ScriptedStream()
        let pump = try StreamPump(into: StreamSink(target))
        let counts = try (0..<3).map { _ in
            try pump.drain(from: stream, phase: .preCopy, shouldStop: never, onBytes: ignore)
                .byteCount
        }
        #expect(counts == [2, 1, 0])
        let last = try pump.drain(
            from: stream,
            phase: .stopCopy,
            shouldStop: never,
            onBytes: ignore
        )
        #expect(last.byteCount == 1)
        #expect(target.accepted == [1, 2, 3, 4])
    }

    @Test("in STOP_COPY ENOMSG is a failure of the source")
    func messageInStopCopy() throws {
        let pump = try StreamPump(into: StreamSink(ScriptedStream()))
        let failure = #expect(throws: TransferFailure.self) {
            try pump.drain(
                from: ScriptedStream([.bytes([1]), .fails(.noMessage)]),
                phase: .stopCopy,
                shouldStop: never,
                onBytes: ignore
            )
        }
        #expect(failure == TransferFailure(side: .source, errno: .noMessage))
        #expect(failure?.operation == "read")
    }

    @Test("a failed read names the source and its errno", arguments: [Errno.io, .noDevice])
    func readFails(errno: Errno) throws {
        let pump = try StreamPump(into: StreamSink(ScriptedStream()))
        let failure = #expect(throws: TransferFailure.self) {
            try pump.drain(
                from: ScriptedStream([.bytes([1]), .fails(errno)]),
                phase: .preCopy,
                shouldStop: never,
                onBytes: ignore
            )
        }
        #expect(failure == TransferFailure(side: .source, errno: errno))
    }

    @Test("a failed write names the target, and the account no longer agrees")
    func writeFails() throws {
        let target = ScriptedStream(writeLimit: { _ in 2 }, writeFailure: (4, .noMemory))
        let pump = try StreamPump(into: StreamSink(target))
        let failure = #expect(throws: TransferFailure.self) {
            try pump.drain(
                from: ScriptedStream([.bytes([1, 2, 3, 4, 5, 6])]),
                phase: .stopCopy,
                shouldStop: never,
                onBytes: ignore
            )
        }
        #expect(failure == TransferFailure(side: .target, errno: .noMemory))
        #expect(failure?.operation == "write")
        let problem = #expect(throws: Problem.self) { try pump.end() }
        #expect(problem?.code == .streamMismatch)
    }

    @Test("a target that takes nothing, or claims too much, is an error", arguments: [0, 9])
    func absurdWriteCounts(count: Int) throws {
        let pump = try StreamPump(into: StreamSink(LyingStream(writeCount: count)))
        let failure = #expect(throws: TransferFailure.self) {
            try pump.drain(
                from: ScriptedStream([.bytes([1, 2, 3])]),
                phase: .stopCopy,
                shouldStop: never,
                onBytes: ignore
            )
        }
        #expect(failure == TransferFailure(side: .target, errno: .io))
    }

    @Test("a source that claims more than the buffer holds is an error")
    func absurdReadCount() throws {
        let pump = try StreamPump(into: StreamSink(ScriptedStream()))
        let failure = #expect(throws: TransferFailure.self) {
            try pump.drain(
                from: LyingStream(readCount: (1 << 20) + 1),
                phase: .stopCopy,
                shouldStop: never,
                onBytes: ignore
            )
        }
        #expect(failure == TransferFailure(side: .source, errno: .protocolError))
    }

    @Test("a stop comes between two chunks, and the stream can be drained on")
    func stops() throws {
        let content = (0..<10).map { UInt8($0) }
        let stream = ScriptedStream(content.map { .bytes([$0]) })
        let target = ScriptedStream()
        let pump = try StreamPump(into: StreamSink(target))
        var heard: [Int] = []
        let first = try pump.drain(
            from: stream,
            phase: .preCopy,
            shouldStop: { heard.count == 4 },
            onBytes: { heard.append($0) }
        )
        #expect(first.outcome == .stopped)
        #expect(first.byteCount == 4)
        #expect(target.accepted == [0, 1, 2, 3])
        let second = try pump.drain(
            from: stream,
            phase: .stopCopy,
            shouldStop: never,
            onBytes: ignore
        )
        #expect(second.byteCount == 6)
        #expect(target.accepted == content)
        let digest = try sha256(content)
        #expect(try pump.end() == EndRecord(byteCount: 10, sha256: digest))
    }

    @Test("a full disk is the target's ENOSPC")
    func fullDisk() throws {
        let content = ImageContent(try FileDescriptor(opening: "/dev/full", O_WRONLY))
        let pump = try StreamPump(into: content)
        let failure = #expect(throws: TransferFailure.self) {
            try pump.drain(
                from: ScriptedStream([.bytes([1, 2, 3])]),
                phase: .stopCopy,
                shouldStop: never,
                onBytes: ignore
            )
        }
        #expect(failure == TransferFailure(side: .target, errno: .noSpace))
        #expect(content.acceptedByteCount == 0)
    }

    @Test("a sink that took other bytes than were read bars the end record")
    func mismatch() throws {
        let sink = ForgetfulSink()
        let pump = try StreamPump(into: sink)
        _ = try pump.drain(
            from: ScriptedStream([.bytes([1, 2, 3])]),
            phase: .stopCopy,
            shouldStop: never,
            onBytes: ignore
        )
        let problem = #expect(throws: Problem.self) { try pump.end() }
        #expect(problem?.code == .streamMismatch)
    }

    @Test("the time of a drain leaves out the waits for the rate limit")
    func busyTime() throws {
        let clock = HandClock()
        let pace = RateLimiter(bytesPerSecond: 100_000, clock: clock) { _, nanoseconds in
            clock.advance(nanoseconds: nanoseconds)
        }
        let stream = ScriptedStream([.bytes([UInt8](repeating: 0, count: 200_000)), .end])
        let pump = try StreamPump(into: StreamSink(ScriptedStream()), pace: pace, clock: clock)
        let before = clock.monotonicNanoseconds()
        let drained = try pump.drain(
            from: stream,
            phase: .preCopy,
            shouldStop: never,
            onBytes: ignore
        )
        #expect(drained.byteCount == 200_000)
        #expect(drained.busyNanoseconds == 0)
        let waited = clock.monotonicNanoseconds() - before
        #expect((1_900_000_000...2_000_000_000).contains(waited))
    }

    @Test("STOP_COPY knows no rate limit")
    func stopCopyIsUnlimited() throws {
        let clock = HandClock()
        let pace = RateLimiter(bytesPerSecond: 1, clock: clock) { _, _ in
            Issue.record("waited for the limit in STOP_COPY")
        }
        let stream = ScriptedStream([.bytes([UInt8](repeating: 0, count: 5 << 20))])
        let pump = try StreamPump(into: StreamSink(ScriptedStream()), pace: pace, clock: clock)
        let drained = try pump.drain(
            from: stream,
            phase: .stopCopy,
            shouldStop: never,
            onBytes: ignore
        )
        #expect(drained.byteCount == 5 << 20)
    }
}
