/// How long daemons have served with a store, all together.
///
/// What is forgotten is forgotten by this: a wall clock that is set ahead makes nothing old.
package struct StoreAge: Hashable, Sendable, Comparable {
    package let seconds: Int64

    package init(seconds: Int64) { self.seconds = seconds }

    package static func < (left: Self, right: Self) -> Bool { left.seconds < right.seconds }

    /// The age so many seconds later.
    package func after(seconds more: Int64) -> Self {
        let (sum, isOverflow) = seconds.addingReportingOverflow(more)
        return Self(seconds: isOverflow ? .max : sum)
    }

    /// Seconds from an earlier age to this one; below zero when that is later.
    package func seconds(since earlier: Self) -> Int64 {
        let (difference, isOverflow) = seconds.subtractingReportingOverflow(earlier.seconds)
        return isOverflow ? (seconds > earlier.seconds ? .max : .min) : difference
    }
}
