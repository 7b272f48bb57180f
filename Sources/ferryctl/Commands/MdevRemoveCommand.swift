internal import APIClient
internal import ArgumentParser

struct MdevRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove a mediated device. Whatever it held is lost."
    )

    @Argument(help: "Its UUID.")
    var uuid: String

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, _ throws(ClientProblem) in
            try client.removeMediatedDevice(uuid)
            return .success
        }
    }
}
