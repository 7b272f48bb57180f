import ArgumentParser
import Glibc
import MigrationCore

/// The host of simulated devices.
@main
struct FerrySimd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ferry-simd",
        abstract: "Simulated devices in a process of their own, for tests of ferryd.",
        discussion: """
            ferryd reaches them with --simulate host=PATH. A device is closed, and loses what it \
            holds, when the last descriptor of it is closed, in whatever process: so killing \
            ferryd does to it what it does to a device of the kernel.
            """,
        subcommands: [Serve.self, Inject.self],
        defaultSubcommand: Serve.self
    )

    /// Says why it cannot go on, and ends with exit code 1.
    static func fail(_ problem: Problem) -> ExitCode {
        var line = "ferry-simd: \(problem.detail)\n"
        line.withUTF8 { text in _ = unsafe write(STDERR_FILENO, text.baseAddress, text.count) }
        return ExitCode(1)
    }
}
