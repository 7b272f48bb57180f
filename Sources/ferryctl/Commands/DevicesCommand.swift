internal import APIClient
internal import ArgumentParser

struct DevicesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "devices",
        abstract: "List the VFIO devices of the host."
    )

    @OptionGroup var list: ListOptions
    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let devices = try client.devices(list.choice, limit: list.limit ?? .max)
            printer.show(list: devices, DeviceReport.table(devices))
            return .success
        }
    }
}
