internal import APIClient
internal import ArgumentParser

struct CancelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancel a job before its commit; its source runs on."
    )

    @Argument(help: "The job.", completion: .custom(Suggestions.jobs))
    var id: String

    @OptionGroup var waiting: WaitOptions
    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let job = try client.cancelJob(id)
            return try JobFollower(client: client, printer: printer)
                .finish(job, wait: waiting.wait) { job in
                    // To be cancelled is what was asked for.
                    switch ExitStatus(endOf: job) {
                    case .jobCancelled: .success
                    case .success: .jobFailed
                    case let status: status
                    }
                }
        }
    }
}
