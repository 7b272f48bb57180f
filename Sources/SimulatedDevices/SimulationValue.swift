internal import MigrationCore

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

    /// The text of a ``Fault``.
    static func fault(_ text: some StringProtocol) -> Fault? {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        let device = parts.count == 2 ? DeviceID(String(parts[1])) : nil
        guard device != nil || parts.count == 1 else { return nil }
        var words = parts[0].split(separator: ":", omittingEmptySubsequences: false)
        guard let operation = takeOperation(from: &words), words.count == 2 else { return nil }
        let isRepeated = words[1].hasSuffix("+")
        guard let outcome = outcome(words[0]),
            let occurrence = number(isRepeated ? words[1].dropLast() : words[1]), occurrence > 0
        else { return nil }
        return Fault(
            operation,
            outcome,
            occurrence: occurrence,
            isRepeated: isRepeated,
            device: device
        )
    }

    private static func takeOperation<Text: StringProtocol>(
        from words: inout [Text]
    ) -> Fault.Operation? {
        guard !words.isEmpty else { return nil }
        switch words.removeFirst() {
        case "open": return .open
        case "reset": return .reset
        case "read": return .read
        case "write": return .write
        case "precopy_info": return .preCopyInfo
        case "arc":
            guard !words.isEmpty else { return nil }
            let ends = words.removeFirst().split(
                separator: "-",
                omittingEmptySubsequences: false
            )
            guard ends.count == 2, let from = end(ends[0]), let to = end(ends[1]) else {
                return nil
            }
            return .arc(from: from, to: to)
        default: return nil
        }
    }

    /// A state, `.some(nil)` for `*`, nil for neither.
    private static func end(_ text: some StringProtocol) -> DeviceState?? {
        if text == "*" { return .some(nil) }
        return DeviceState(kernelName: text).map(Optional.some)
    }

    private static func outcome(_ text: some StringProtocol) -> Fault.Outcome? {
        if text == "ERROR" { return .errorState }
        let number = (1...133).first { Errno(number: $0).name == text }
        return number.map { .errno(Errno(number: $0)) }
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
