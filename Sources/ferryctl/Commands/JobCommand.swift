internal import APIClient
internal import ArgumentParser

struct JobCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job",
        abstract: "Show a job, wait for its end, read its journal, or delete it."
    )

    @Argument(help: "The job.")
    var id: String

    @Flag(help: "Show the journal: every step, its intent and its outcome.")
    var journal = false

    @Flag(help: "Delete the job and its journal; with --wait after its end.")
    var delete = false

    @OptionGroup var waiting: WaitOptions
    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            var job = try client.job(id)
            if waiting.wait { job = try JobFollower(client: client, printer: printer).follow(job) }
            if journal {
                let lines = try client.journal(ofJob: id)
                printer.show(list: lines, JournalReport.table(lines))
            } else {
                printer.show(job, JobReport.text(job))
            }
            if delete { try client.deleteJob(id) }
            return waiting.wait ? ExitStatus(endOf: job) : .success
        }
    }
}
