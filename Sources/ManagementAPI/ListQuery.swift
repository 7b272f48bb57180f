internal import MigrationCore

/// The parameters that every list takes, and their bounds.
enum ListParameters {
    static let names = ["cursor", "limit", "filter", "sort", "fields"]
    static let limits = 1...1000
    static let defaultLimit = 100
    /// Fields of a `sort`.
    static let sortFieldLimit = 4

    static let foreignCursor = Problem(
        .badRequest,
        "The cursor is no next_cursor of this list."
    )

    static func limit(_ query: QueryParameters) throws(Problem) -> Int {
        try query.number("limit", in: limits) ?? defaultLimit
    }
}

/// What a request asks of a list: which items, in which order, from where on, how many, and how
/// much of each.
struct ListQuery<Item: Equatable & Sendable>: Sendable {
    let filter: Filter<Item>?
    let order: SortOrder<Item>
    let limit: Int
    /// Where the page before ended; nil for the first page.
    let position: SortOrder<Item>.Position?
    private let selection: FieldSelection?
    /// What cursors are bound to.
    private let binding: String
    private let isInUsualOrder: Bool

    init(_ table: FieldTable<Item>, _ query: QueryParameters) throws(Problem) {
        self.limit = try ListParameters.limit(query)
        self.filter = try query.text("filter").map { text throws(Problem) in
            try Filter(text, table)
        }
        let usual = try SortOrder(table.order, table)
        self.order =
            try query.text("sort").map { text throws(Problem) in
                try SortOrder(text, table)
            } ?? usual
        self.isInUsualOrder = order.text == usual.text
        self.selection = try FieldSelection(query, table)
        let filterText = filter.map { "\($0.expression)" } ?? ""
        let binding = "\(table.list)\n\(order.text)\n\(filterText)"
        self.binding = binding
        self.position = try query.text("cursor").map { text throws(Problem) in
            try ListCursor.position(in: text, of: binding)
        }
    }

    /// Whether it asks for all items in the list's usual order.
    var isPlain: Bool { filter == nil && isInUsualOrder }

    /// Where the page before ended in a list that the store keeps in its order.
    ///
    /// Throws `bad-request` for a cursor of another list.
    var place: Int64? {
        get throws(Problem) {
            guard let position else { return nil }
            guard position.count == 1, case .number(let place)? = position[0] else {
                throw ListParameters.foreignCursor
            }
            return place
        }
    }

    /// The page of items that are all in memory, in the list's usual order.
    func page(of all: [Item]) throws(Problem) -> ListPage<Item> {
        let wanted = filter.map { filter in all.filter(filter.matches) } ?? all
        return try cut(isInUsualOrder ? wanted : order.sorted(wanted), order.position)
    }

    /// The page of wanted items, in order, of which each has a position.
    func cut<Element>(
        _ items: [Element],
        _ position: (Element) -> SortOrder<Item>.Position
    ) throws(Problem) -> ListPage<Element> {
        var start = 0
        if let last = self.position {
            guard order.admits(last) else { throw ListParameters.foreignCursor }
            start = items.firstIndex(after: { order.isInOrder(last, position($0)) })
        }
        let page = items[start...].prefix(limit)
        guard page.endIndex < items.endIndex, let last = page.last else {
            return ListPage(items: page, nextCursor: nil)
        }
        return ListPage(items: page, nextCursor: cursor(behind: position(last)))
    }

    /// The cursor of a page that ends at a position.
    func cursor(behind position: SortOrder<Item>.Position) -> String {
        ListCursor.text(behind: position, of: binding)
    }

    /// The document of a page.
    func response(
        _ page: ListPage<Item>,
        _ documents: DocumentCache<Item>
    ) throws(Problem) -> APIResponse {
        let shown = try documents.documents(for: page.items)
        guard let selection else { return .page(of: shown, nextCursor: page.nextCursor) }
        return .page(
            of: shown.map { selection.part(of: $0.text) },
            nextCursor: page.nextCursor
        )
    }
}

/// Part of a list.
struct ListPage<Item> {
    let items: ArraySlice<Item>
    /// Nil on the last page.
    let nextCursor: String?
}

extension Array {
    /// The first of those that pass, of which all stand behind those that do not.
    fileprivate func firstIndex(after isBehind: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
