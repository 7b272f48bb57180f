internal import MigrationCore

/// The order of a list: `-created_at,id`.
///
/// An item without a field comes behind those that have it, whichever way the order goes. The id
/// decides between items that are equal otherwise, so the order is total.
struct SortOrder<Item>: Sendable {
    private let keys: [Key]
    /// The order as `sort` would say it.
    let text: String

    private struct Key: Sendable {
        let field: ListField<Item>
        let isDescending: Bool
    }

    /// Where an item stands in an order: what it has in each of its fields.
    typealias Position = [FieldValue?]

    /// Throws `bad-request` when the text is no order of this list's items.
    init(_ text: String, _ table: FieldTable<Item>) throws(Problem) {
        var names = text.split(separator: ",", omittingEmptySubsequences: false)
        guard names.count <= ListParameters.sortFieldLimit else {
            throw Problem(
                .badRequest,
                "A sort has at most \(ListParameters.sortFieldLimit) fields."
            )
        }
        if !names.contains("id"), !names.contains("-id"), table.sortable.contains("id") {
            names.append("id")
        }
        var keys: [Key] = []
        for name in names {
            let isDescending = name.first == "-"
            let field = String(isDescending ? name.dropFirst() : name)
            guard table.sortable.contains(field), let (known, _) = table.field(field) else {
                let sortable = table.sortable.joined(separator: ", ")
                throw Problem(
                    .badRequest,
                    "The \(table.list) cannot be sorted by \"\(field.prefix(64))\", only by "
                        + "\(sortable), each with - before it for descending."
                )
            }
            guard !keys.contains(where: { $0.field.name == field }) else {
                throw Problem(.badRequest, "The sort names \(field) twice.")
            }
            keys.append(Key(field: known, isDescending: isDescending))
        }
        self.keys = keys
        self.text = names.joined(separator: ",")
    }

    /// Whether the first field goes from high to low.
    var isDescending: Bool { keys.first?.isDescending == true }

    func position(of item: Item) -> Position { keys.map { $0.field.value(item, "") } }

    /// Whether an item at one position comes before one at the other.
    func isInOrder(_ one: Position, _ other: Position) -> Bool {
        for (key, (one, other)) in zip(keys, zip(one, other)) where one != other {
            guard let one else { return false }
            guard let other else { return true }
            return key.isDescending ? other.isBefore(one) : one.isBefore(other)
        }
        return false
    }

    /// Whether a position may be one of this order: of as many values, each of its field's type.
    func admits(_ position: Position) -> Bool {
        position.count == keys.count
            && zip(keys, position).allSatisfy { $1 == nil || $1?.type == $0.field.type }
    }

    func sorted(_ items: [Item]) -> [Item] {
        items.map { (item: $0, position: position(of: $0)) }
            .sorted { isInOrder($0.position, $1.position) }
            .map(\.item)
    }
}

extension FieldValue {
    fileprivate var type: FieldType {
        switch self {
        case .text: .text
        case .number: .number
        case .time: .time
        case .flag: .flag
        case .set: .set
        }
    }

    /// The order of two values of one type; false comes before true.
    fileprivate func isBefore(_ other: FieldValue) -> Bool {
        switch (self, other) {
        case (.text(let own), .text(let other)): own < other
        case (.number(let own), .number(let other)): own < other
        case (.time(let own), .time(let other)): own < other
        case (.flag(let own), .flag(let other)): !own && other
        default: false
        }
    }
}
