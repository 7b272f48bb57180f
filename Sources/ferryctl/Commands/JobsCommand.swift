internal import APIClient
internal import ArgumentParser

struct JobsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs",
        abstract: "List jobs, newest first, 100 unless --limit says otherwise.",
        discussion: "  ferryctl jobs --filter 'state = failed and kind = migrate' --limit 10"
    )

    @OptionGroup var list: ListOptions
    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let jobs = try client.jobs(list.choice, limit: list.limit ?? 100)
            printer.show(list: jobs, JobReport.table(jobs))
            return .success
        }
    }
}
