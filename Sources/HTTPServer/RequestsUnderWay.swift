internal import Dispatch
internal import Synchronization

/// Counts the requests the API has or whose answers are on their way, for the stop to wait for.
final class RequestsUnderWay: Sendable {
    /// Guards the count.
    ///
    /// Taken alone.
    private let count = Mutex(0)
    /// Signalled whenever there are none left.
    private let none = DispatchSemaphore(value: 0)

    func enter() { count.withLock { $0 += 1 } }

    func leave() {
        let isLast = count.withLock { count in
            count -= 1
            return count == 0
        }
        if isLast { none.signal() }
    }

    /// Waits until there are none, but no longer than this.
    ///
    /// Blocks the thread.
    func waitForNone(atMost limit: Duration) {
        let deadline = DispatchTime(uptimeNanoseconds: (MonotonicTime.now + limit).nanoseconds)
        // Old signals of moments with none are passed by.
        while count.withLock({ $0 }) > 0 {
            if none.wait(timeout: deadline) == .timedOut { return }
        }
    }
}
