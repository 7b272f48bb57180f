internal import APIClient
internal import APISchema
internal import ArgumentParser

struct MdevCreateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a mediated device."
    )

    @Argument(help: "The parent: see `mdev types`.")
    var parent: String

    @Argument(help: "The type.")
    var type: String

    @Option(help: "The device's UUID; made up when left out.")
    var uuid: String?

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let device = try client.createMediatedDevice(
                MediatedRequestDTO(parent: parent, type: type, uuid: uuid)
            )
            printer.show(device, DeviceReport.text(device))
            return .success
        }
    }
}
