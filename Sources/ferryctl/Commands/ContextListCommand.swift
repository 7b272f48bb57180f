internal import ArgumentParser

struct ContextListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the contexts; * is the current one."
    )

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.runLocally { file, printer throws(ContextFile.Failure) in
            let contexts = try file.read()
            var table = Table("", "CONTEXT", "SERVER")
            for context in contexts.contexts {
                table.add(
                    context.name == contexts.current ? "*" : " ",
                    context.name,
                    context.server
                )
            }
            printer.show(contexts, table.text)
        }
    }
}
