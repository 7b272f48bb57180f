/// Which items of a list are wanted, and in which order.
package struct ListQuery: Hashable, Sendable {
    /// At most so many.
    package var limit = Int.max
    /// An expression over the fields of the items: `state = running and kind = migrate`.
    package var filter: String?
    /// Names of fields, with a hyphen before one that descends: `-created_at`.
    package var sort: String?

    package init() {}

    var parameters: [(name: String, value: String)] {
        [("filter", filter), ("sort", sort)].compactMap { name, value in
            value.map { (name, $0) }
        }
    }
}
