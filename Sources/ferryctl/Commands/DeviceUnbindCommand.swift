internal import APIClient
internal import APISchema
internal import ArgumentParser

struct DeviceUnbindCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unbind",
        abstract: "Give a device back to the host. Whatever it held is lost."
    )

    @Argument(help: "The device.", completion: .custom(Suggestions.devices))
    var id: String

    @Option(help: "The driver of the host; the one the kernel finds when left out.")
    var driver: String?

    @Flag(help: "Do it although ferryd warns of it.")
    var force = false

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let request = UnbindRequestDTO(driver: driver, force: force ? true : nil)
            let device = try client.unbindDevice(id, request)
            printer.show(device, DeviceReport.text(device))
            return .success
        }
    }
}
