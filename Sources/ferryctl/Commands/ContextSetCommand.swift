internal import APIClient
internal import ArgumentParser

struct ContextSetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Keep a server under a name. The first becomes the current one."
    )

    @Argument(help: "The name: letters, digits, '.', '_' and '-'.")
    var name: String

    @Argument(help: "Where ferryd listens: unix:PATH or tcp:HOST:PORT.")
    var address: ServerAddress

    @OptionGroup var options: ServerOptions

    func validate() throws {
        guard Contexts.isName(name) else { throw ValidationError("'\(name)' is no name.") }
    }

    func run() throws {
        try options.runLocally { file, _ throws(ContextFile.Failure) in
            var contexts = try file.read()
            contexts.set(Contexts.Context(name: name, server: address.description))
            try file.write(contexts)
        }
    }
}
