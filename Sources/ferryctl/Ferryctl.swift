internal import ArgumentParser

/// The command line of a ferryd.
@main
struct Ferryctl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ferryctl",
        abstract: "Moves the state of VFIO devices, by a ferryd.",
        discussion: """
            EXIT CODES
              0  ok (with --wait: the job succeeded; cancel --wait: it ended cancelled)
              1  the job failed (with --wait)
              2  the command line is wrong
              3  the server refused the request (4xx), or would (--check)
              4  the server cannot be reached
              5  the server failed (5xx), or its answer makes no sense
              6  the job was cancelled (with --wait)
              7  the job is indeterminate: what happened cannot be known (with --wait)
              8  the output cannot be written

            ENVIRONMENT
              FERRY_SERVER  where ferryd listens, when --server does not say
              NO_COLOR      when set, nothing is coloured
            """,
        version: "0.1.0",
        subcommands: [
            DevicesCommand.self, DeviceCommand.self, SessionCommand.self, SaveCommand.self,
            RestoreCommand.self, MigrateCommand.self, ResetCommand.self, JobsCommand.self,
            JobCommand.self, CancelCommand.self, SwitchoverCommand.self, LimitsCommand.self,
            ResolveCommand.self, ImagesCommand.self, ImageCommand.self,
        ]
    )

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
