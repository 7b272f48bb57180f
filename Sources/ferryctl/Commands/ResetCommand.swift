internal import APIClient
internal import APISchema
internal import ArgumentParser

struct ResetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset",
        abstract: "Reset devices: their content is lost."
    )

    @Argument(help: "The devices.", completion: .custom(Suggestions.devices))
    var devices: [String]

    @OptionGroup var job: JobOptions
    @OptionGroup var options: ServerOptions

    func run() throws {
        let request = JobRequestDTO(kind: "reset", devices: devices.map { .init(source: $0) })
        try job.submit(request, options)
    }
}
