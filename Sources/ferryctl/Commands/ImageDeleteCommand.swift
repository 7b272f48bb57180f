internal import APIClient
internal import ArgumentParser

struct ImageDeleteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete images and their content."
    )

    @Argument(help: "The images.", completion: .custom(Suggestions.images))
    var ids: [String]

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, _ throws(ClientProblem) in
            for id in ids { try client.deleteImage(id) }
            return .success
        }
    }
}
