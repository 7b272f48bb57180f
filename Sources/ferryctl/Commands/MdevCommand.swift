internal import ArgumentParser

struct MdevCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mdev",
        abstract: "List the types of mediated devices, make and remove devices.",
        subcommands: [
            MdevTypesCommand.self, MdevCreateCommand.self, MdevRemoveCommand.self,
        ],
        defaultSubcommand: MdevTypesCommand.self
    )
}
