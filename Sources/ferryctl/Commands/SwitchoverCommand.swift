internal import APIClient
internal import ArgumentParser

struct SwitchoverCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switchover",
        abstract: "Let a job with manual switchover switch over."
    )

    @Argument(help: "The job.")
    var id: String

    @OptionGroup var waiting: WaitOptions
    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let job = try client.switchOverJob(id)
            return try JobFollower(client: client, printer: printer)
                .finish(job, wait: waiting.wait)
        }
    }
}
