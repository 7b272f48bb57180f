internal import APIClient
internal import ArgumentParser

struct JobsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs",
        abstract: "List jobs, newest first."
    )

    @Option(help: ArgumentHelp("Show at most this many.", valueName: "count"))
    var limit = 100

    @OptionGroup var options: ServerOptions

    func validate() throws {
        guard limit > 0 else { throw ValidationError("The limit must be 1 or more.") }
    }

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let jobs = try client.jobs(limit: limit)
            printer.show(list: jobs, JobReport.table(jobs))
            return .success
        }
    }
}
