extension Timestamp {
    /// The moment an RFC 3339 text names, with any offset; nil when it names none.
    ///
    /// What is finer than a millisecond is dropped. A leap second is the one after it.
    package init?(rfc3339 text: String) {
        var rest = Array(text.utf8)[...]
        guard let year = rest.takeNumber(digits: 4), rest.take("-"),
            let month = rest.takeNumber(digits: 2), rest.take("-"),
            let day = rest.takeNumber(digits: 2), rest.take("T") || rest.take("t"),
            let hour = rest.takeNumber(digits: 2), rest.take(":"),
            let minute = rest.takeNumber(digits: 2), rest.take(":"),
            let second = rest.takeNumber(digits: 2), let millisecond = rest.takeFraction(),
            let offset = rest.takeOffsetMinutes(), rest.isEmpty
        else { return nil }
        guard (1...12).contains(month), (1...Self.dayCount(of: month, in: year)).contains(day),
            hour < 24, minute < 60, second <= 60
        else { return nil }
        let minutes = (Self.day(year, month, day) * 24 + hour) * 60 + minute - offset
        self.init(millisecondsSinceEpoch: (minutes * 60 + second) * 1000 + millisecond)
    }

    private static func dayCount(of month: Int64, in year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since the epoch, by years that begin on 1 March.
    private static func day(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        // A whole era of 400 years on, so that nothing is below zero.
        let shifted = year + 400 - (month <= 2 ? 1 : 0)
        let monthFromMarch = month + (month > 2 ? -3 : 9)
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        let days = 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear
        return days - 146_097 - 719_468
    }
}

extension ArraySlice<UInt8> {
    fileprivate mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard first == UInt8(ascii: character) else { return false }
        removeFirst()
        return true
    }

    fileprivate mutating func takeNumber(digits count: Int) -> Int64? {
        let digits = prefix(count)
        guard digits.count == count, digits.allSatisfy(\.isDigit) else { return nil }
        removeFirst(count)
        return digits.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    }

    /// Milliseconds; 0 when there is no fraction, nil when there is a dot without digits.
    fileprivate mutating func takeFraction() -> Int64? {
        guard take(".") else { return 0 }
        let digits = prefix(while: \.isDigit)
        guard !digits.isEmpty else { return nil }
        removeFirst(digits.count)
        let padded = digits.prefix(3) + repeatElement(UInt8(ascii: "0"), count: 3)
        return padded.prefix(3).reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    }

    /// `Z`, `+02:00` or `-03:30`.
    fileprivate mutating func takeOffsetMinutes() -> Int64? {
        if take("Z") || take("z") { return 0 }
        let isWest = first == UInt8(ascii: "-")
        guard take("+") || take("-"), let hours = takeNumber(digits: 2), take(":"),
            let minutes = takeNumber(digits: 2), hours < 24, minutes < 60
        else { return nil }
        return (hours * 60 + minutes) * (isWest ? -1 : 1)
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { (0x30...0x39).contains(self) }
}
