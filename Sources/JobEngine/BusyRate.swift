internal import StateTransfer
internal import Synchronization

/// The rate a switchover can count on: bytes by the time really spent moving them, without the
/// waits of a bandwidth limit.
final class BusyRate: Sendable {
    private struct State {
        var byteCount: UInt64 = 0
        var nanoseconds: UInt64 = 0
    }

    /// Below this a drain measures the cost of its calls, not the rate of its bytes.
    private static let leastByteCount: UInt64 = 64 << 10

    /// Guards the sums.
    ///
    /// A leaf.
    private let state = Mutex(State())

    func note(_ drained: Drained) {
        guard drained.byteCount >= Self.leastByteCount else { return }
        state.withLock { state in
            // The latest drains count most: halve what came before each.
            state.byteCount = state.byteCount / 2 + drained.byteCount
            state.nanoseconds = state.nanoseconds / 2 + drained.busyNanoseconds
        }
    }

    /// Nil before anything worth measuring moved.
    var bytesPerSecond: UInt64? {
        state.withLock { state in
            guard state.byteCount > 0 else { return nil }
            return UInt64(Double(state.byteCount) * 1e9 / Double(max(1, state.nanoseconds)))
        }
    }
}
