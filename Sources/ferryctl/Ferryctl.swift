internal import ArgumentParser

/// The command line of a ferryd.
@main
struct Ferryctl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ferryctl",
        abstract: "Moves the state of VFIO devices, by a ferryd.",
        discussion: """
            EXAMPLES
              ferryctl devices
              ferryctl migrate sim-0 sim-1 --wait
              ferryctl save sim-1 --id nightly --after stop --wait
              ferryctl job nightly --timeline
              ferryctl --server tcp:127.0.0.1:8080 events --follow

            EXIT CODES
              0  ok (with --wait: the job succeeded; cancel --wait: it ended cancelled;
                 resolve --wait: who was named may run)
              1  the job failed (with --wait)
              2  the command line or the contexts' file is wrong
              3  the server refused the request (4xx); --check: it would
              4  the server cannot be reached, or the connection broke
              5  the server failed (5xx), or its answer makes no sense
              6  the job was cancelled (with --wait)
              7  the job is indeterminate: what happened cannot be known (with --wait)
              8  a file or the output cannot be read or written
              9  the time of wait --timeout is over

            ENVIRONMENT
              FERRY_SERVER   where ferryd listens, when --server and --context do not say
              FERRY_CONTEXT  the context, when nothing above says
              FERRY_CONFIG   the file of the contexts; else ferry/contexts.json in
                             $XDG_CONFIG_HOME, or in ~/.config
              NO_COLOR       when set, nothing is coloured
            """,
        version: "0.1.0",
        groupedSubcommands: [
            CommandGroup(
                name: "Devices",
                subcommands: [
                    HostCommand.self, DevicesCommand.self, DeviceCommand.self, MdevCommand.self,
                    SessionCommand.self,
                ]
            ),
            CommandGroup(
                name: "Jobs",
                subcommands: [
                    SaveCommand.self, RestoreCommand.self, MigrateCommand.self, ResetCommand.self,
                    JobsCommand.self, JobCommand.self, WaitCommand.self, CancelCommand.self,
                    SwitchoverCommand.self, LimitsCommand.self, ResolveCommand.self,
                ]
            ),
            CommandGroup(
                name: "Images",
                subcommands: [ImagesCommand.self, ImageCommand.self]
            ),
            CommandGroup(
                name: "Watching",
                subcommands: [EventsCommand.self, AuditCommand.self, MetricsCommand.self]
            ),
            CommandGroup(
                name: "ferryctl itself",
                subcommands: [
                    ContextCommand.self, ExplainCommand.self, CompletionCommand.self,
                ]
            ),
        ]
    )

    // Here so that it may come before the name of the command; the commands get the same values.
    @OptionGroup var options: ServerOptions

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let status as ExitStatus {
            status.end()
        } catch {
            end(afterParsing: error)
        }
    }

    /// Help goes to stdout with 0, a wrong command line to stderr with 2.
    private static func end(afterParsing error: any Error) -> Never {
        let text = fullMessage(for: error)
        guard exitCode(for: error) != .success else {
            Terminal.standardOutput.write(text + "\n")
            ExitStatus.success.end()
        }
        Terminal.standardError.write(text + "\n")
        ExitStatus.usage.end()
    }
}
