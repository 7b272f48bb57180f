/// A point of civil time in UTC, to the millisecond.
///
/// For showing and sorting only: every duration is measured on the monotonic clock, because this
/// one jumps.
package struct Timestamp: Hashable, Sendable, Codable, Comparable {
    package let millisecondsSinceEpoch: Int64

    package init(millisecondsSinceEpoch: Int64) {
        self.millisecondsSinceEpoch = millisecondsSinceEpoch
    }

    package static func < (left: Self, right: Self) -> Bool {
        left.millisecondsSinceEpoch < right.millisecondsSinceEpoch
    }

    /// The years RFC 3339 can write: 0000 to 9999.
    private static let writable: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999

    /// `2026-11-23T07:50:53.120Z` (RFC 3339).
    ///
    /// A moment outside the years 0000 to 9999 is shown as the nearest one inside.
    package var rfc3339: String {
        let shown = min(
            max(millisecondsSinceEpoch, Self.writable.lowerBound),
            Self.writable.upperBound
        )
        let (days, millisecondOfDay) = shown.flooredDivision(by: 86_400_000)
        let (year, month, day) = Self.civilDate(daysSinceEpoch: days)
        let second = millisecondOfDay / 1000
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
            + "T\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2))"
            + ":\(padded(second % 60, 2)).\(padded(millisecondOfDay % 1000, 3))Z"
    }

    /// Gregorian date of a day number, by eras of 400 years that begin on 1 March.
    private static func civilDate(daysSinceEpoch: Int64) -> (Int64, Int64, Int64) {
        let (era, dayOfEra) = (daysSinceEpoch + 719_468).flooredDivision(by: 146_097)
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}

extension Int64 {
    fileprivate func flooredDivision(by divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

private func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
