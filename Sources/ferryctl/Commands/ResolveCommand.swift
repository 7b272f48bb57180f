internal import APIClient
internal import APISchema
internal import ArgumentParser

struct ResolveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolve",
        abstract: "Settle a job that ended indeterminate: say who may run.",
        discussion: """
            With --wait the exit code is 0 when the one who was named may run in the end.

              ferryctl resolve JOB source --target-fenced --wait
            """
    )

    @Argument(help: "The job.", completion: .custom(Suggestions.jobs))
    var id: String

    @Argument(help: "Who may run from now on: source, target or nobody.")
    var side: ResolvedSide

    @Flag(help: "The target cannot run any more: needed for source behind a commit.")
    var targetFenced = false

    @OptionGroup var waiting: WaitOptions
    @OptionGroup var options: ServerOptions

    enum ResolvedSide: String, ExpressibleByArgument {
        case source
        case target
        case nobody
    }

    func run() throws {
        let request = ResolveRequestDTO(
            mayRun: side.rawValue,
            targetFenced: targetFenced ? true : nil
        )
        try options.run { client, printer throws(ClientProblem) in
            try JobFollower(client: client, printer: printer)
                .finish(client.resolveJob(id, request), wait: waiting.wait) { job in
                    ExitStatus(endOf: job, resolvedTo: side.rawValue)
                }
        }
    }
}
