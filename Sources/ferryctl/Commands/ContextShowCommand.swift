internal import APIClient
internal import ArgumentParser

struct ContextShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show which server a command would ask, and why."
    )

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.runLocally { file, printer throws(ContextFile.Failure) in
            let choice = try options.choice()
            var facts = FactList()
            facts.add("server", choice.server.description)
            facts.add("by", choice.reason)
            facts.add("context", choice.context)
            facts.add("contexts in", file.path)
            printer.show(
                Choice(
                    server: choice.server.description,
                    by: choice.reason,
                    context: choice.context
                ),
                facts.text()
            )
        }
    }

    private struct Choice: Encodable {
        let server: String
        let by: String
        let context: String?
    }
}
