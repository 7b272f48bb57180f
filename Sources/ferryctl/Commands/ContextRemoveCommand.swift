internal import ArgumentParser

struct ContextRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Forget a context."
    )

    @Argument(help: "The context.", completion: .custom(Suggestions.contexts))
    var name: String

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.runLocally { file, _ throws(ContextFile.Failure) in
            var contexts = try file.read()
            guard contexts.remove(name) else {
                throw ContextFile.Failure(text: "There is no context '\(name)'.")
            }
            try file.write(contexts)
        }
    }
}
