/// One page of a list.
package struct PageDTO<Item: Hashable & Sendable & Codable>: Hashable, Sendable, Codable {
    package let items: [Item]
    /// Opaque; null on the last page.
    package let nextCursor: String?

    package init(items: [Item], nextCursor: String?) {
        self.items = items
        self.nextCursor = nextCursor
    }
}
