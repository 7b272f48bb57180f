internal import MigrationCore

/// A field of the items of a list that `filter` and `sort` know, by its name in the document.
struct ListField<Item>: Sendable {
    /// Dotted within nested objects and lists of objects: `migration.kind`, `devices.device`.
    ///
    /// `labels.*` stands for every key of a map.
    let name: String
    let type: FieldType
    /// What an item has there, as its document shows it; nil when the document leaves it out.
    ///
    /// The second argument is the key of a map, else empty.
    let value: @Sendable (Item, String) -> FieldValue?

    private init(
        _ name: String,
        _ type: FieldType,
        _ value: @escaping @Sendable (Item, String) -> FieldValue?
    ) {
        self.name = name
        self.type = type
        self.value = value
    }

    static func text(_ name: String, _ value: @escaping @Sendable (Item) -> String?) -> Self {
        Self(name, .text) { item, _ in value(item).map(FieldValue.text) }
    }

    static func number(_ name: String, _ value: @escaping @Sendable (Item) -> Int64?) -> Self {
        Self(name, .number) { item, _ in value(item).map(FieldValue.number) }
    }

    static func time(_ name: String, _ value: @escaping @Sendable (Item) -> Timestamp?) -> Self {
        Self(name, .time) { item, _ in value(item).map(FieldValue.time) }
    }

    static func flag(_ name: String, _ value: @escaping @Sendable (Item) -> Bool?) -> Self {
        Self(name, .flag) { item, _ in value(item).map(FieldValue.flag) }
    }

    static func set(_ name: String, _ value: @escaping @Sendable (Item) -> [String]) -> Self {
        Self(name, .set) { item, _ in .set(value(item)) }
    }

    static func map(
        _ name: String,
        _ value: @escaping @Sendable (Item) -> [String: String]
    ) -> Self {
        Self(name + ".*", .text) { item, key in value(item)[key].map(FieldValue.text) }
    }

    /// The key a name has in this field: empty for the field itself, nil for another one.
    func key(in wanted: String) -> String? {
        guard name.hasSuffix(".*") else { return wanted == name ? "" : nil }
        let prefix = name.dropLast()
        guard wanted.hasPrefix(prefix), wanted.count > prefix.count else { return nil }
        return String(wanted.dropFirst(prefix.count))
    }
}

/// What kind of values a field has.
enum FieldType: String, Hashable, Sendable {
    case text
    case number
    case time
    /// True or false.
    case flag
    /// Several texts, in no order that matters.
    case set
}

/// What an item has in a field.
enum FieldValue: Hashable, Sendable {
    case text(String)
    case number(Int64)
    case time(Timestamp)
    case flag(Bool)
    case set([String])
}
