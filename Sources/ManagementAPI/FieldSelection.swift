internal import JSONCoding
internal import MigrationCore

/// The parts of documents a reader wants: `fields=state,phase`.
struct FieldSelection: Sendable {
    private let names: Set<String>

    /// Nil when the query asks for whole documents.
    ///
    /// Throws `bad-request` for a name that is not at the top of these documents.
    init?(_ query: QueryParameters, _ table: FieldTable<some Any>) throws(Problem) {
        guard let text = query.text("fields") else { return nil }
        var names: Set = ["id"]
        for name in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard table.members.contains(String(name)) else {
                throw Problem(
                    .badRequest,
                    "The \(table.list) have no field \"\(name.prefix(64))\" to show; there are "
                        + "\(table.members.joined(separator: ", "))."
                )
            }
            names.insert(String(name))
        }
        self.names = names
    }

    /// A document without the rest.
    func part(of text: [UInt8]) -> [UInt8] { JSONSelection.members(of: text, named: names) }
}
