/// Counts of the kernel as JSON readers can hold them: an integer above `Int64.max` becomes it.
extension Int64 {
    init(bytes count: UInt64) { self.init(clamping: count) }

    /// Microseconds, rounded up.
    init(microsecondsOf nanoseconds: UInt64) {
        self.init(clamping: nanoseconds / 1000 + (nanoseconds % 1000 == 0 ? 0 : 1))
    }

    /// Milliseconds, rounded up.
    init(millisecondsOf nanoseconds: UInt64) {
        self.init(clamping: nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 == 0 ? 0 : 1))
    }
}

/// `0x15b3`: the way PCI identifiers are written.
func pciIdentifier(_ number: UInt32) -> String { hexadecimal(number, digits: 4) }

/// A number in hexadecimal with at least so many digits: `0x01`.
func hexadecimal(_ number: UInt32, digits count: Int) -> String {
    let digits = String(number, radix: 16)
    return "0x" + String(repeating: "0", count: max(0, count - digits.count)) + digits
}
