package import Dispatch
package import MigrationPorts
internal import Synchronization

/// The cap on a job's pre-copy bytes, shared by its devices; there may be none.
///
/// It may change while the job runs, and is lifted at switchover.
package final class RateLimiter: Sendable {
    private struct State {
        /// Nil without a cap.
        var bucket: TokenBucket?
        var isLifted = false
        /// Those who wait, by ticket.
        var waiting: [UInt64: DispatchSemaphore] = [:]
        var nextTicket: UInt64 = 0
    }

    private enum Answer {
        case admitted(Int)
        case wait(UInt64, DispatchSemaphore, nanoseconds: UInt64)
    }

    private let clock: any HostClock
    /// Waits for the semaphore at most so many nanoseconds.
    private let pause: @Sendable (DispatchSemaphore, UInt64) -> Void
    /// Guards the bucket and the list of waiters.
    ///
    /// Innermost: nothing waits while it is held.
    private let state: Mutex<State>

    package convenience init(bytesPerSecond: UInt64?, clock: any HostClock = MachineClock()) {
        self.init(bytesPerSecond: bytesPerSecond, clock: clock) { signal, nanoseconds in
            let deadline = DispatchTime.now() + .nanoseconds(Int(clamping: nanoseconds))
            _ = signal.wait(timeout: deadline)
        }
    }

    /// With another way to wait, for a clock driven by hand.
    package init(
        bytesPerSecond: UInt64?,
        clock: any HostClock,
        pause: @escaping @Sendable (DispatchSemaphore, UInt64) -> Void
    ) {
        self.clock = clock
        self.pause = pause
        self.state = Mutex(
            State(bucket: bytesPerSecond.map { TokenBucket(bytesPerSecond: $0) })
        )
    }

    package var isLifted: Bool { state.withLock { $0.isLifted } }

    /// Changes the cap, or takes it away with nil; whoever waits for the old one waits no longer.
    package func setRate(bytesPerSecond: UInt64?) {
        state.withLock { state in
            state.bucket = bytesPerSecond.map { TokenBucket(bytesPerSecond: $0) }
        }
        wake()
    }

    /// Ends the cap and every wait for it.
    package func lift() {
        state.withLock { $0.isLifted = true }
        wake()
    }

    /// Makes everyone who waits ask `shouldStop` again: to be called after what it reads changed.
    package func wake() {
        for signal in state.withLock({ Array($0.waiting.values) }) { signal.signal() }
    }

    /// Blocks until bytes may move and returns how many of `wanted`: at least one, or 0 when
    /// `shouldStop` became true first.
    ///
    /// What is not used is given back.
    package func admit(upTo wanted: Int, unless shouldStop: () -> Bool) -> Int {
        while true {
            switch ask(wanted) {
            case .admitted(let count): return count
            case .wait(let ticket, let signal, let nanoseconds):
                defer { _ = state.withLock { $0.waiting.removeValue(forKey: ticket) } }
                // Asked after the waiter is on the list, so that no wake can be missed.
                if shouldStop() { return 0 }
                pause(signal, nanoseconds)
                if shouldStop() { return 0 }
            }
        }
    }

    /// Returns bytes that were admitted and did not move.
    package func giveBack(_ byteCount: Int) {
        state.withLock { $0.bucket?.giveBack(byteCount) }
    }

    private func ask(_ wanted: Int) -> Answer {
        let now = clock.monotonicNanoseconds()
        return state.withLock { state in
            guard !state.isLifted, var bucket = state.bucket else { return .admitted(wanted) }
            defer { state.bucket = bucket }
            switch bucket.take(upTo: wanted, at: now) {
            case .taken(let count): return .admitted(count)
            case .emptyFor(let nanoseconds):
                let signal = DispatchSemaphore(value: 0)
                let ticket = state.nextTicket
                state.nextTicket += 1
                state.waiting[ticket] = signal
                return .wait(ticket, signal, nanoseconds: nanoseconds)
            }
        }
    }
}
