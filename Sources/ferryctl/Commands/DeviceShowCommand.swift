internal import APIClient
internal import ArgumentParser

struct DeviceShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show a device, or ask it what it can do.",
        discussion: "  ferryctl device pci-0000:41:00.3 --probe"
    )

    @Argument(help: "The device.", completion: .custom(Suggestions.devices))
    var id: String

    @Flag(help: "Open it to ask for its migration support. This may reset an idle device.")
    var probe = false

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let device = try probe ? client.probeDevice(id) : client.device(id)
            printer.show(device, DeviceReport.text(device))
            return .success
        }
    }
}
