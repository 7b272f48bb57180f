internal import MigrationCore

/// The parameters of a request, each known to its endpoint and given once.
struct QueryParameters: Sendable {
    private let values: [String: String]

    init(rawQuery: String?, allowed: [String]) throws(Problem) {
        var values: [String: String] = [:]
        for pair in (rawQuery ?? "").utf8.split(separator: UInt8(ascii: "&")) {
            let split = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            let name = try PercentDecoding.queryText(pair[..<split])
            let value = try PercentDecoding.queryText(pair[split...].dropFirst())
            guard allowed.contains(name) else {
                throw Problem(
                    .badRequest,
                    "There is no query parameter \(name.prefix(64)) here"
                        + (allowed.isEmpty ? "." : ", only \(allowed.joined(separator: ", ")).")
                )
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw Problem(.badRequest, "The query parameter \(name) is given twice.")
            }
        }
        self.values = values
    }

    func text(_ name: String) -> String? { values[name] }

    /// A decimal number within a range; nil when it is not given.
    func number<Number: FixedWidthInteger & Sendable>(
        _ name: String,
        in range: ClosedRange<Number>
    ) throws(Problem) -> Number? {
        guard let text = values[name] else { return nil }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Number(text),
            range.contains(number)
        else {
            throw Problem(
                .badRequest,
                "The query parameter \(name) must be a number from \(range.lowerBound) "
                    + "to \(range.upperBound)."
            )
        }
        return number
    }

    /// `true` or `false`; false when it is not given.
    func flag(_ name: String) throws(Problem) -> Bool {
        switch values[name] {
        case nil, "false": false
        case "true": true
        default: throw Problem(.badRequest, "The query parameter \(name) must be true or false.")
        }
    }
}
