internal import APIClient
internal import APISchema
internal import ArgumentParser

struct DeviceBindCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bind",
        abstract: "Give a device to a driver of VFIO."
    )

    @Argument(help: "The device.", completion: .custom(Suggestions.devices))
    var id: String

    @Option(help: "The driver; the one that fits the device best when left out.")
    var driver: String?

    @Flag(help: "Do it although the host uses the device.")
    var force = false

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let request = BindRequestDTO(driver: driver, force: force ? true : nil)
            let device = try client.bindDevice(id, request)
            printer.show(device, DeviceReport.text(device))
            return .success
        }
    }
}
