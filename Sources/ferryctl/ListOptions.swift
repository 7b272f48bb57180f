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

    /// The query, with a limit for when none was given.
    func query(standardLimit: Int = .max) -> ListQuery {
        var query = ListQuery()
        query.filter = filter
        query.sort = sort
        query.limit = limit ?? standardLimit
        return query
    }
}
