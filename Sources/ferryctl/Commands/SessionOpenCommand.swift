internal import APIClient
internal import APISchema
internal import ArgumentParser

struct SessionOpenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "open",
        abstract: "Open and bind a device. The first open of a PCI device resets it."
    )

    @Argument(help: "The device.", completion: .custom(Suggestions.devices))
    var device: String

    @Option(help: ArgumentHelp("Join this session's address space.", valueName: "session"))
    var join: String?

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let session = try client.openSession(
                SessionRequestDTO(device: device, joins: join)
            )
            printer.show(session, SessionReport.text(session))
            return .success
        }
    }
}
