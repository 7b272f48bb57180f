internal import APIClient
internal import ArgumentParser

struct JobDeleteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Forget jobs that have ended, with their journals."
    )

    @Argument(help: "The jobs.", completion: .custom(Suggestions.jobs))
    var ids: [String]

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, _ throws(ClientProblem) in
            for id in ids { try client.deleteJob(id) }
            return .success
        }
    }
}
