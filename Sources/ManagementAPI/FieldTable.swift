/// What a reader may ask of the items of one list, and of their documents.
struct FieldTable<Item>: Sendable {
    /// As the list is called: `devices`.
    let list: String
    /// The order of a list that was asked for in no other, as `sort` says it.
    let order: String
    let fields: [ListField<Item>]
    /// The names of fields that `sort` takes.
    let sortable: [String]
    /// The names at the top of the document, for `fields`.
    let members: [String]

    /// `sortable` is every field that has one value when it is not said.
    init(
        list: String,
        order: String,
        members: [String],
        sortable: [String]? = nil,
        fields: [ListField<Item>]
    ) {
        self.list = list
        self.order = order
        self.members = members
        self.fields = fields
        self.sortable = sortable ?? fields.filter(\.isSingle).map(\.name)
    }

    /// A field, with the key when it is a map's.
    func field(_ name: String) -> (field: ListField<Item>, key: String)? {
        for field in fields {
            if let key = field.key(in: name) { return (field, key) }
        }
        return nil
    }

    /// Every name, for whoever asked for another.
    var names: String { fields.map(\.name).joined(separator: ", ") }
}

extension ListField {
    /// Whether an item has at most one value there.
    fileprivate var isSingle: Bool { type != .set && !name.hasSuffix(".*") }
}
