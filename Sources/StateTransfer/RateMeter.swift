package import MigrationPorts
internal import Synchronization

/// Measured bytes per second over the last few seconds of the monotonic clock.
package final class RateMeter: Sendable {
    private struct Slot {
        let number: UInt64
        var byteCount: UInt64
    }

    private struct State {
        var startedAt: UInt64?
        /// At most ``slotCount`` + 1, oldest first.
        var slots: [Slot] = []
    }

    private static let slotCount: UInt64 = 16

    private let clock: any HostClock
    private let slotNanoseconds: UInt64
    /// Guards the slots.
    ///
    /// Innermost: nothing is called while it is held.
    private let state = Mutex(State())

    package init(
        windowNanoseconds: UInt64 = 2_000_000_000,
        clock: any HostClock = MachineClock()
    ) {
        self.clock = clock
        self.slotNanoseconds = max(1, windowNanoseconds / Self.slotCount)
    }

    /// Counts bytes that moved just now.
    package func record(byteCount: Int) {
        let now = clock.monotonicNanoseconds()
        let number = now / slotNanoseconds
        state.withLock { state in
            if state.startedAt == nil { state.startedAt = now }
            if let last = state.slots.last, last.number == number {
                state.slots[state.slots.count - 1].byteCount += UInt64(byteCount)
            } else {
                state.slots.append(Slot(number: number, byteCount: UInt64(byteCount)))
            }
            Self.forgetOldSlots(&state, number)
        }
    }

    /// The rate over the window, or since the first bytes when that is less; 0 before them.
    package var bytesPerSecond: UInt64 {
        let now = clock.monotonicNanoseconds()
        let number = now / slotNanoseconds
        return state.withLock { state in
            guard let startedAt = state.startedAt else { return 0 }
            Self.forgetOldSlots(&state, number)
            let oldest = number - min(number, Self.slotCount)
            let from = max(startedAt, oldest * slotNanoseconds)
            let byteCount = state.slots.reduce(0) { $0 + $1.byteCount }
            // The first slot's bytes need a slot's time, or they would look infinitely fast.
            let nanoseconds = max(now - min(now, from), slotNanoseconds)
            return UInt64(min(Double(byteCount) * 1e9 / Double(nanoseconds), 1e18))
        }
    }

    private static func forgetOldSlots(_ state: inout State, _ number: UInt64) {
        let oldest = number - min(number, slotCount)
        state.slots.removeAll { $0.number < oldest }
    }
}
