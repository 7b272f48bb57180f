internal import APIClient
internal import ArgumentParser

struct SessionCloseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "close",
        abstract: "Close a session. The last close of a device loses its content."
    )

    @Argument(help: "The session.", completion: .custom(Suggestions.sessions))
    var id: String

    @Flag(help: "Close it although it holds content.")
    var discardContent = false

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let session = try client.closeSession(id, discardContent: discardContent)
            printer.show(session, SessionReport.text(session))
            return .success
        }
    }
}
