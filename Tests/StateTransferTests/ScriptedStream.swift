import MigrationCore
import MigrationPorts
import Synchronization

/// A migration stream that gives what a script says, and takes what it is allowed to take.
final class ScriptedStream: MigrationStream {
    enum Step: Equatable {
        case bytes([UInt8])
        case fails(Errno)
        /// A read of 0.
        case end
    }

    struct State {
        var steps: [Step]
        var accepted: [UInt8] = []
        var readSizes: [Int] = []
    }

    /// Guards everything the test looks at.
    let state: Mutex<State>
    /// Most bytes of one write, by how many were accepted before.
    let writeLimit: @Sendable (Int) -> Int
    let writeFailure: (after: Int, errno: Errno)?

    init(
        _ steps: [Step] = [],
        writeLimit: @escaping @Sendable (Int) -> Int = { _ in .max },
        writeFailure: (after: Int, errno: Errno)? = nil
    ) {
        state = Mutex(State(steps: steps))
        self.writeLimit = writeLimit
        self.writeFailure = writeFailure
    }

    var readSizes: [Int] { state.withLock { $0.readSizes } }

    var accepted: [UInt8] { state.withLock { $0.accepted } }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try state.withLock { state throws(Errno) in
            state.readSizes.append(buffer.count)
            guard let step = state.steps.first else { return 0 }
            state.steps.removeFirst()
            switch step {
            case .end: return 0
            case .fails(let errno): throw errno
            case .bytes(let bytes):
                let count = min(bytes.count, buffer.count)
                unsafe buffer.copyBytes(from: bytes[..<count])
                if count < bytes.count {
                    state.steps.insert(.bytes(Array(bytes[count...])), at: 0)
                }
                return count
            }
        }
    }

    func write(_ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int {
        try state.withLock { state throws(Errno) in
            if let writeFailure, state.accepted.count >= writeFailure.after {
                throw writeFailure.errno
            }
            let allowed = writeLimit(state.accepted.count)
            let count = min(buffer.count, allowed)
            unsafe state.accepted.append(contentsOf: buffer[..<count])
            return count
        }
    }

    func preCopyInfo() throws(Errno) -> PreCopyInfo {
        PreCopyInfo(initialByteCount: 0, dirtyByteCount: 0)
    }

    func close() {}
}

/// Time that stands still until a test moves it.
final class HandClock: HostClock {
    private let nanoseconds = Mutex<UInt64>(1_000_000_000_000)

    func monotonicNanoseconds() -> UInt64 { nanoseconds.withLock { $0 } }

    func timestamp() -> Timestamp { Timestamp(millisecondsSinceEpoch: 0) }

    func advance(nanoseconds step: UInt64) { nanoseconds.withLock { $0 += step } }
}

/// SplitMix64: the same numbers on every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}
