internal import Dispatch
internal import MigrationCore
internal import Synchronization

/// Wakes those who wait for a job to change.
///
/// It holds no state of jobs: whoever is woken reads. Who may wait at a time is bounded by the
/// connections of the transport.
final class ChangeFeed: Sendable {
    private struct Waiter: Sendable {
        let generation: UInt64
        let reply: @Sendable () -> Void
        /// Ends the wait; nil until it was set.
        var timer: OneShotTimer?
    }

    private struct State {
        var waiters: [JobID: [UInt64: Waiter]] = [:]
        var nextTicket: UInt64 = 0
        var isClosed = false
    }

    private let timers = DispatchQueue(label: "ferry.feed")
    /// Guards the waiters.
    ///
    /// A leaf: replies are called after it is let go.
    private let state = Mutex(State())

    /// Calls `reply` once: when ``didChange(_:generation:)`` passes `generation`, after `seconds`,
    /// or at once when the feed is closed.
    ///
    /// `current` is read after the waiter is on the list, so that no change falls between.
    func wait(
        for job: JobID,
        after generation: UInt64,
        seconds: Int,
        current: () -> UInt64?,
        reply: @escaping @Sendable () -> Void
    ) {
        let ticket: UInt64? = state.withLock { state in
            guard !state.isClosed else { return nil }
            state.nextTicket += 1
            state.waiters[job, default: [:]][state.nextTicket] = Waiter(
                generation: generation,
                reply: reply
            )
            return state.nextTicket
        }
        guard let ticket else { return reply() }
        guard seconds > 0, let now = current(), now <= generation else {
            return end(ticket, of: job)
        }
        let timer = OneShotTimer(seconds: UInt64(seconds), on: timers) { [weak self] in
            self?.end(ticket, of: job)
        }
        // One whose waiter was answered meanwhile is let go here, and never fires.
        state.withLock { $0.waiters[job]?[ticket]?.timer = timer }
    }

    func didChange(_ job: JobID, generation: UInt64) {
        let due: [Waiter] = state.withLock { state in
            guard let waiters = state.waiters[job] else { return [] }
            let due = waiters.filter { $0.value.generation < generation }
            for ticket in due.keys { state.waiters[job]?[ticket] = nil }
            if state.waiters[job]?.isEmpty == true { state.waiters[job] = nil }
            return Array(due.values)
        }
        for waiter in due { waiter.reply() }
    }

    /// Answers everybody and lets nobody wait any more: the daemon stops.
    func close() {
        let all: [Waiter] = state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [:] }
            return state.waiters.values.flatMap(\.values)
        }
        for waiter in all { waiter.reply() }
    }

    private func end(_ ticket: UInt64, of job: JobID) {
        let waiter: Waiter? = state.withLock { state in
            defer { if state.waiters[job]?.isEmpty == true { state.waiters[job] = nil } }
            return state.waiters[job]?.removeValue(forKey: ticket)
        }
        waiter?.reply()
    }
}
