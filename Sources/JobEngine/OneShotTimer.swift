internal import Dispatch

/// Calls a handler once after some time, unless it is cancelled or let go before.
// A dispatch source may be cancelled from any thread, and cancelling is all that is done to it
// after it was set up.
final class OneShotTimer: @unchecked Sendable {
    /// Longer waits are as good as none.
    private static let nanosecondsLimit: UInt64 = 1_000_000_000_000_000_000

    private let source: any DispatchSourceTimer

    convenience init(
        seconds: UInt64,
        on queue: DispatchQueue,
        _ handler: @escaping @Sendable () -> Void
    ) {
        let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        self.init(nanoseconds: overflow ? .max : nanoseconds, on: queue, handler)
    }

    init(
        nanoseconds: UInt64,
        on queue: DispatchQueue,
        _ handler: @escaping @Sendable () -> Void
    ) {
        source = DispatchSource.makeTimerSource(queue: queue)
        let wait = Int(min(nanoseconds, Self.nanosecondsLimit))
        source.schedule(deadline: .now() + .nanoseconds(wait))
        source.setEventHandler(handler: handler)
        source.resume()
    }

    deinit { source.cancel() }

    /// The handler does not begin after this, unless it just has.
    func cancel() { source.cancel() }
}
