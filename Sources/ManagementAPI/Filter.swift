internal import MigrationCore

/// What a `filter=` asks of the items of a list.
struct Filter<Item>: Sendable {
    /// As the client wrote it, in its shortest form.
    let expression: FilterExpression
    private let test: Test

    private indirect enum Test: Sendable {
        case all([Test])
        case any([Test])
        case not(Test)
        case single(@Sendable (Item) -> Bool)
    }

    /// Throws `bad-filter` with the column of what is no filter, of a field that is not there, and
    /// of what does not go with the field's type.
    init(_ text: String, _ table: FieldTable<Item>) throws(Problem) {
        self.expression = try FilterParser.parse(text)
        self.test = try Self.test(expression, table)
    }

    func matches(_ item: Item) -> Bool { Self.holds(test, item) }

    private static func holds(_ test: Test, _ item: Item) -> Bool {
        switch test {
        case .all(let parts): parts.allSatisfy { holds($0, item) }
        case .any(let parts): parts.contains { holds($0, item) }
        case .not(let part): !holds(part, item)
        case .single(let holds): holds(item)
        }
    }

    private static func test(
        _ expression: FilterExpression,
        _ table: FieldTable<Item>
    ) throws(Problem) -> Test {
        switch expression {
        case .all(let parts):
            return .all(try parts.map { part throws(Problem) in try test(part, table) })
        case .any(let parts):
            return .any(try parts.map { part throws(Problem) in try test(part, table) })
        case .not(let part): return .not(try test(part, table))
        case .present(let name):
            let (field, key) = try field(name, table)
            return .single { field.value($0, key)?.isAffirmative == true }
        case .comparison(let comparison):
            let (field, key) = try field(comparison.field, table)
            let holds = try field.type.test(comparison)
            return .single { field.value($0, key).map(holds) == true }
        }
    }

    private static func field(
        _ name: FilterWord,
        _ table: FieldTable<Item>
    ) throws(Problem) -> (ListField<Item>, String) {
        guard let found = table.field(name.text) else {
            throw .badFilter(
                at: name.column,
                "There is no field \(name.text.prefix(64)) to filter \(table.list) by; there are "
                    + "\(table.names)."
            )
        }
        return found
    }
}

extension FieldValue {
    /// Neither false nor empty.
    fileprivate var isAffirmative: Bool {
        switch self {
        case .flag(let flag): flag
        case .set(let members): !members.isEmpty
        case .text, .number, .time: true
        }
    }
}

extension FieldType {
    /// Whether a value of this type passes a comparison.
    ///
    /// Throws `bad-filter` when the comparator or the value is not for this type.
    fileprivate func test(
        _ comparison: FilterComparison
    ) throws(Problem) -> @Sendable (FieldValue) -> Bool {
        guard comparators.contains(comparison.comparator) else {
            let known = comparators.map(\.rawValue).joined(separator: " ")
            throw .badFilter(
                at: comparison.column,
                "\(comparison.field.text.prefix(64)) is \(noun): expected \(known), found "
                    + "\(comparison.comparator.rawValue)."
            )
        }
        guard let value = value(comparison.value.text) else {
            throw .badFilter(
                at: comparison.value.column,
                "\(comparison.field.text.prefix(64)) is \(noun), and "
                    + "\(comparison.value.text.prefix(64)) is not."
            )
        }
        let comparator = comparison.comparator
        return { $0.holds(comparator, value) }
    }

    private var comparators: [FilterComparator] {
        switch self {
        case .text: [.equal, .notEqual, .contains]
        case .number, .time: FilterComparator.allCases.filter { $0 != .contains }
        case .flag: [.equal, .notEqual]
        case .set: [.contains]
        }
    }

    private var noun: String {
        switch self {
        case .text: "a text"
        case .number: "a number"
        case .time: "an RFC 3339 time"
        case .flag: "true or false"
        case .set: "a set"
        }
    }

    private func value(_ text: String) -> FieldValue? {
        switch self {
        case .text: .text(text)
        case .number: text.first == "+" ? nil : Int64(text).map(FieldValue.number)
        case .time: Timestamp(rfc3339: text).map(FieldValue.time)
        case .flag: Bool(text).map(FieldValue.flag)
        case .set: .set([text])
        }
    }
}

extension FieldValue {
    /// Whether it passes a comparison with a value of the same type.
    fileprivate func holds(_ comparator: FilterComparator, _ value: FieldValue) -> Bool {
        switch (self, value) {
        case (.set(let members), .set(let wanted)): wanted.allSatisfy(members.contains)
        case (.number(let own), .number(let other)): comparator.holds(own, other)
        case (.time(let own), .time(let other)): comparator.holds(own, other)
        case (.text(let own), .text(let other)) where comparator == .contains:
            own.utf8.contains(other.utf8)
        default: comparator == .notEqual ? self != value : self == value
        }
    }
}

extension FilterComparator {
    fileprivate func holds<Value: Comparable>(_ own: Value, _ other: Value) -> Bool {
        switch self {
        case .equal, .contains: own == other
        case .notEqual: own != other
        case .less: own < other
        case .lessOrEqual: own <= other
        case .greater: own > other
        case .greaterOrEqual: own >= other
        }
    }
}
