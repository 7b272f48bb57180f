package import MigrationCore
internal import SystemIO

/// Time, injected so that tests own it.
package protocol HostClock: Sendable {
    /// For durations and deadlines: never jumps.
    func monotonicNanoseconds() -> UInt64
    /// For showing.
    func timestamp() -> Timestamp
}

/// The machine's own time.
package struct MachineClock: HostClock {
    package init() {}
    package func monotonicNanoseconds() -> UInt64 { SystemClock.monotonicNanoseconds() }
    package func timestamp() -> Timestamp { SystemClock.timestamp() }
}
