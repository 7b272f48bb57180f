/// The values in the text of a simulation.
///
/// Nil is what is not one.
enum SimulationValue {
    /// Decimal digits alone: no sign, no space.
    static func number(_ text: some StringProtocol) -> UInt64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return UInt64(text)
    }

    /// `4096`, `64KiB`, `16MiB`, `1GiB`.
    static func byteCount(_ text: some StringProtocol) -> UInt64? {
        scaled(text, by: [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)])
    }

    /// `250us`, `5ms`, `1s`, `90ns`; the unit may not be left out.
    static func duration(_ text: some StringProtocol) -> Duration? {
        let units: [(String, UInt64)] = [
            ("ns", 1), ("us", 1000), ("ms", 1_000_000), ("s", 1_000_000_000),
        ]
        guard let nanoseconds = scaled(text, by: units) else { return nil }
        return Int64(exactly: nanoseconds).map(Duration.nanoseconds)
    }

    /// A piece of a text that a terminal can show: bounded, and of printable ASCII alone.
    static func quoted(_ text: some StringProtocol) -> String {
        let shown = text.unicodeScalars.prefix(40).map {
            (0x20..<0x7f).contains($0.value) ? Character($0) : "?"
        }
        return "\"" + String(shown) + (text.unicodeScalars.count > 40 ? "…" : "") + "\""
    }

    private static func scaled(
        _ text: some StringProtocol,
        by units: [(suffix: String, factor: UInt64)]
    ) -> UInt64? {
        guard let unit = units.first(where: { text.hasSuffix($0.suffix) }),
            let value = number(text.dropLast(unit.suffix.count))
        else { return nil }
        let (product, overflow) = value.multipliedReportingOverflow(by: unit.factor)
        return overflow ? nil : product
    }
}
