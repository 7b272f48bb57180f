/// Which items of a list are wanted, and in which order: the `filter` and `sort` of
/// openapi/ferry.yaml.
package struct ListChoice: Hashable, Sendable {
    package var filter: String?
    package var sort: String?

    package init(filter: String? = nil, sort: String? = nil) {
        self.filter = filter
        self.sort = sort
    }

    var query: [(name: String, value: String)] {
        (filter.map { [("filter", $0)] } ?? []) + (sort.map { [("sort", $0)] } ?? [])
    }
}
