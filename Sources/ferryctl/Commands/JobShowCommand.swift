internal import APIClient
internal import APISchema
internal import ArgumentParser

struct JobShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show a job, its timeline or its journal, or wait for its end."
    )

    @Argument(help: "The job.", completion: .custom(Suggestions.jobs))
    var id: String

    @Flag(help: "Show the journal: every step, its intent and its outcome.")
    var journal = false

    @Flag(help: "Draw when its phases were, and what each device did meanwhile.")
    var timeline = false

    @OptionGroup var waiting: WaitOptions
    @OptionGroup var options: ServerOptions

    func validate() throws {
        guard !journal || !timeline else {
            throw ValidationError("Give --journal or --timeline, not both.")
        }
    }

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            var job = try client.job(id)
            if waiting.wait { job = try JobFollower(client: client, printer: printer).follow(job) }
            if journal || timeline {
                let lines = try client.journal(ofJob: id)
                printer.show(
                    list: lines,
                    timeline
                        ? TimelineReport.text(job, lines, on: .standardOutput)
                        : JournalReport.table(lines)
                )
            } else {
                printer.show(job, JobReport.text(job))
            }
            return waiting.wait ? ExitStatus(endOf: job) : .success
        }
    }
}
