internal import Glibc

/// A point of `CLOCK_MONOTONIC`, in nanoseconds.
struct MonotonicTime: Comparable {
    let nanoseconds: UInt64

    static var now: MonotonicTime {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(
            nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        )
    }

    static func < (left: MonotonicTime, right: MonotonicTime) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The point later by a duration that is not negative.
    static func + (time: MonotonicTime, duration: Duration) -> MonotonicTime {
        MonotonicTime(nanoseconds: time.nanoseconds &+ UInt64(max(0, duration / .nanoseconds(1))))
    }

    /// The time until a later point; zero when that is not later.
    func duration(to later: MonotonicTime) -> Duration {
        .nanoseconds(Int64(clamping: max(later.nanoseconds, nanoseconds) - nanoseconds))
    }
}
