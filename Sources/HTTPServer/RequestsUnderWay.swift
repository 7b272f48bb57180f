internal import Dispatch
internal import Synchronization

/// Counts the requests the API has or whose answers are on their way, for the stop to wait for.
final class RequestsUnderWay: Sendable {
    private struct State {
        var count = 0
        /// Whether the stop waits for there to be none.
        var isAwaited = false
    }

    /// Guards the count.
    ///
    /// Taken alone.
    private let state = Mutex(State())
    /// Signalled when there are none left and somebody waits for that.
    private let none = DispatchSemaphore(value: 0)

    func enter() { state.withLock { $0.count += 1 } }

    func leave() {
        let isLast = state.withLock { state in
            state.count -= 1
            return state.count == 0 && state.isAwaited
        }
        if isLast { none.signal() }
    }

    /// Waits until there are none, but no longer than this.
    ///
    /// Blocks the thread. One at a time waits.
    func waitForNone(atMost limit: Duration) {
        let deadline = DispatchTime(uptimeNanoseconds: (MonotonicTime.now + limit).nanoseconds)
        while isAny {
            // A signal of an earlier wait is passed by.
            if none.wait(timeout: deadline) == .timedOut { return }
        }
    }

    private var isAny: Bool {
        state.withLock { state in
            state.isAwaited = state.count > 0
            return state.isAwaited
        }
    }
}
