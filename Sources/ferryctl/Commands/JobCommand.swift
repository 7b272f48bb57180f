internal import ArgumentParser

struct JobCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job",
        abstract: "Show a job, its timeline or its journal; wait for its end, or forget it.",
        discussion: """
              ferryctl job nightly --timeline           where its time went
              ferryctl job nightly --journal            every step, its intent and its outcome
              ferryctl job nightly --wait               stay until it has ended
              ferryctl job delete nightly
            """,
        subcommands: [JobShowCommand.self, JobDeleteCommand.self],
        defaultSubcommand: JobShowCommand.self
    )
}
