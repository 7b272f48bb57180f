internal import Dispatch
internal import MigrationPorts
internal import Synchronization

/// When a job has to be complete, counted from its start and on the monotonic clock; it may be moved
/// while the job runs.
final class JobDeadline: Sendable {
    private let queue: DispatchQueue
    private let clock: any HostClock
    private let startedAt: UInt64
    private let handler: @Sendable () -> Void
    /// Guards the timer.
    ///
    /// A leaf.
    private let timer = Mutex<OneShotTimer?>(nil)

    init(
        on queue: DispatchQueue,
        clock: any HostClock,
        _ handler: @escaping @Sendable () -> Void
    ) {
        self.queue = queue
        self.clock = clock
        self.startedAt = clock.monotonicNanoseconds()
        self.handler = handler
    }

    /// Moves it to so many seconds after the start; one that is past by then has come.
    func move(toSeconds seconds: UInt64) {
        let (end, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let elapsed = clock.monotonicNanoseconds() - startedAt
        let rest = (overflow ? .max : end) - min(overflow ? .max : end, elapsed)
        let next = OneShotTimer(nanoseconds: rest, on: queue, handler)
        timer.withLock { timer in
            timer?.cancel()
            timer = next
        }
    }

    func cancel() { timer.withLock { $0?.cancel() } }
}
