internal import APIClient
internal import APISchema
internal import ArgumentParser

struct SaveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "save",
        abstract: "Save devices' state as one image.",
        discussion: """
              ferryctl save sim-0 --id nightly --wait          the source runs on
              ferryctl save sim-0 sim-1 --after stop --wait    one image of both, stopped
            """
    )

    @Argument(
        help: "The devices; several are saved as one set.",
        completion: .custom(Suggestions.devices)
    )
    var devices: [String]

    @Option(help: ArgumentHelp("What the device does then: run or stop.", valueName: "what"))
    var after: AfterSave?

    enum AfterSave: String, ExpressibleByArgument {
        case run
        case stop
    }

    @Flag(
        name: .customLong("no-p2p-mappings"),
        help: "No device of the set maps another's memory: save it without P2P states."
    )
    var noP2PMappings = false

    @OptionGroup var limits: PreCopyLimitOptions
    @OptionGroup var job: JobOptions
    @OptionGroup var options: ServerOptions

    func run() throws {
        var request = JobRequestDTO(kind: "save", devices: devices.map { .init(source: $0) })
        request.limits = limits.request
        request.noP2pMappings = noP2PMappings ? true : nil
        request.after = after?.rawValue
        try job.submit(request, options)
    }
}
