internal import APIClient
internal import APISchema
internal import ArgumentParser

struct MdevTypesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "types",
        abstract: "List what parents of mediated devices can make."
    )

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let types = try client.mediatedTypes()
            var table = Table("PARENT", "TYPE", "API", "AVAILABLE", "NAME")
            for type in types {
                table.add(
                    type.parent,
                    type.type,
                    type.deviceAPI,
                    type.availableInstances.map(String.init),
                    type.name
                )
            }
            printer.show(list: types, table.text)
            return .success
        }
    }
}
