internal import APIClient
internal import ArgumentParser

struct SessionListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List open and past sessions, newest first."
    )

    @OptionGroup var list: ListOptions
    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let sessions = try client.sessions(list.choice, limit: list.limit ?? .max)
            printer.show(list: sessions, SessionReport.table(sessions))
            return .success
        }
    }
}
