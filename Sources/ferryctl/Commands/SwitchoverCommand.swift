internal import APIClient
internal import ArgumentParser

struct SwitchoverCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switchover",
        abstract: "Let a job with manual switchover switch over.",
        discussion: """
            Until then it goes on with pre-copy; ferryctl job shows when it is ready.

              ferryctl migrate sim-0 sim-1 --manual --id move
              ferryctl switchover move --wait
            """
    )

    @Argument(help: "The job.", completion: .custom(Suggestions.jobs))
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
