internal import APIClient
internal import APISchema
internal import ArgumentParser

struct SaveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "save",
        abstract: "Save a device's state as an image."
    )

    @Argument(help: "The device.")
    var device: String

    @Option(help: ArgumentHelp("What the device does then: run or stop.", valueName: "what"))
    var after: AfterSave?

    enum AfterSave: String, ExpressibleByArgument {
        case run
        case stop
    }

    @OptionGroup var job: JobOptions
    @OptionGroup var options: ServerOptions

    func run() throws {
        var request = JobRequestDTO(kind: "save", devices: [.init(source: device)])
        request.after = after?.rawValue
        try job.submit(request, options)
    }
}
