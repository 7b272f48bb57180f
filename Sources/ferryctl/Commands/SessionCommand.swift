internal import ArgumentParser

struct SessionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "session",
        abstract: "Open, show and close the devices that ferryd holds.",
        subcommands: [
            SessionListCommand.self, SessionOpenCommand.self, SessionShowCommand.self,
            SessionCloseCommand.self,
        ],
        defaultSubcommand: SessionListCommand.self
    )
}
