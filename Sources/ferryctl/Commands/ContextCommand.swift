internal import ArgumentParser

struct ContextCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "context",
        abstract: "Keep servers under names.",
        discussion: """
            They are kept in $FERRY_CONFIG, or in ferry/contexts.json in $XDG_CONFIG_HOME or \
            ~/.config. The server of a command is that of --server, --context, $FERRY_SERVER, \
            $FERRY_CONTEXT, the current context, or unix:/run/ferry/ferryd.sock: the first of \
            them that is there.

              ferryctl context set lab tcp:127.0.0.1:8080
              ferryctl context use lab
              ferryctl --context lab devices
            """,
        subcommands: [
            ContextListCommand.self, ContextShowCommand.self, ContextSetCommand.self,
            ContextUseCommand.self, ContextRemoveCommand.self,
        ],
        defaultSubcommand: ContextListCommand.self
    )
}
