internal import APIClient
internal import ArgumentParser

/// Which items of a list are shown.
struct ListOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Show what this is true of: 'state = running and not labels.team = ops'.",
            valueName: "expression"
        )
    )
    var filter: String?

    @Option(
        help: ArgumentHelp(
            "Order by these fields, with a comma between; '-' before one descends.",
            valueName: "fields"
        )
    )
    var sort: String?

    @Option(help: ArgumentHelp("Show at most this many.", valueName: "count"))
    var limit: Int?

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("The limit must be 1 or more.") }
    }

    /// What is wanted, in words of the client's.
    var choice: ListChoice { ListChoice(filter: filter, sort: sort) }
}
