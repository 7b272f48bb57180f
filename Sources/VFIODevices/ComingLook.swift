internal import Dispatch

/// A look that is due or under way: however many wait for it, all of them go on when it is over.
struct ComingLook: Sendable {
    /// When it was asked for, or when it began.
    let since: UInt64
    /// A turnstile, that each one who is through opens for the next.
    ///
    /// Unlike a group it may be dropped when nobody ever looked.
    private let turnstile = DispatchSemaphore(value: 0)

    init(since: UInt64) { self.since = since }

    func end() { turnstile.signal() }

    /// Whether it was over in time.
    @discardableResult
    func wait(nanoseconds: UInt64) -> Bool {
        let limit = DispatchTime.now() + .nanoseconds(Int(clamping: nanoseconds))
        guard turnstile.wait(timeout: limit) == .success else { return false }
        turnstile.signal()
        return true
    }
}
