internal import ArgumentParser

struct ContextUseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "use",
        abstract: "Make a context the current one."
    )

    @Argument(help: "The context.", completion: .custom(Suggestions.contexts))
    var name: String

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.runLocally { file, _ throws(ContextFile.Failure) in
            var contexts = try file.read()
            guard contexts[name] != nil else {
                throw ContextFile.Failure(text: "There is no context '\(name)'.")
            }
            contexts.current = name
            try file.write(contexts)
        }
    }
}
