internal import APIClient
internal import ArgumentParser

struct SessionShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show a session."
    )

    @Argument(help: "The session.", completion: .custom(Suggestions.sessions))
    var id: String

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let session = try client.session(id)
            printer.show(session, SessionReport.text(session))
            return .success
        }
    }
}
