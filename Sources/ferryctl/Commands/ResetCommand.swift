internal import APIClient
internal import APISchema
internal import ArgumentParser

struct ResetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset",
        abstract: "Reset a device: its content is lost."
    )

    @Argument(help: "The device.")
    var device: String

    @OptionGroup var job: JobOptions
    @OptionGroup var options: ServerOptions

    func run() throws {
        try job.submit(JobRequestDTO(kind: "reset", devices: [.init(source: device)]), options)
    }
}
