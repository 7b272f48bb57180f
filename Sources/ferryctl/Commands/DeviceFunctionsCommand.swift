internal import APIClient
internal import APISchema
internal import ArgumentParser

struct DeviceFunctionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vfs",
        abstract: "Set the number of virtual functions of a physical one."
    )

    @Argument(help: "The physical function.", completion: .custom(Suggestions.devices))
    var id: String

    @Argument(help: "How many it shall have.")
    var count: Int

    @Flag(
        inversion: .prefixedNo,
        help: "Whether the kernel looks for drivers of the host for them."
    )
    var autoprobe: Bool?

    @Flag(help: "Do it although the host uses virtual functions that go.")
    var force = false

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let request = VirtualFunctionsDTO(
                count: count,
                autoprobe: autoprobe,
                force: force ? true : nil
            )
            let device = try client.setVirtualFunctions(of: id, request)
            printer.show(device, DeviceReport.text(device))
            return .success
        }
    }
}
