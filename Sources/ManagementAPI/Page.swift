internal import MigrationCore

/// Which part of a list a request asks for.
struct Page: Sendable {
    /// The last id of the page before; nil for the first page.
    let after: String?
    let limit: Int
    private let list: String

    static let parameters = ["cursor", "limit"]
    static let limits = 1...1000
    static let defaultLimit = 100

    /// `list` binds cursors to the list they came from.
    init(of list: String, _ query: QueryParameters) throws(Problem) {
        self.list = list
        self.limit = try query.number("limit", in: Self.limits) ?? Self.defaultLimit
        guard let cursor = query.text("cursor") else {
            self.after = nil
            return
        }
        guard cursor.hasPrefix("\(list)."), cursor.utf8.count <= 256 else {
            throw Self.foreignCursor
        }
        self.after = String(cursor.dropFirst(list.utf8.count + 1))
    }

    /// The id to go on after; nil for the first page.
    func lastID<Kind>() throws(Problem) -> Identifier<Kind>? {
        guard let after else { return nil }
        guard let id = Identifier<Kind>(after) else { throw Self.foreignCursor }
        return id
    }

    /// The page of items that are all in memory.
    func cut<Item>(_ items: [Item], id: (Item) -> String) throws(Problem) -> [Item] {
        guard let after else { return Array(items.prefix(limit + 1)) }
        guard let last = items.firstIndex(where: { id($0) == after }) else {
            throw Self.staleCursor
        }
        return Array(items[(last + 1)...].prefix(limit + 1))
    }

    /// The list document, of up to one item more than the limit: it tells that there is a next
    /// page.
    func response<Item>(
        _ items: [Item],
        _ documents: DocumentCache<Item>
    ) throws(Problem) -> APIResponse {
        let shown = items.prefix(limit)
        let next = items.count > limit ? shown.last.map { "\(list).\(documents.id($0))" } : nil
        return .page(of: try documents.texts(for: shown), nextCursor: next)
    }

    static let staleCursor = Problem(
        .badRequest,
        "The item of the cursor is gone: list again from the start."
    )
    private static let foreignCursor = Problem(
        .badRequest,
        "The cursor is not one of this list."
    )
}
