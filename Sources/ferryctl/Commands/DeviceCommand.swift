internal import ArgumentParser

struct DeviceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "device",
        abstract: "Show a device, give it to VFIO or back to the host.",
        discussion: """
              ferryctl device pci-0000:41:00.3 --probe
              ferryctl device vfs pci-0000:41:00.0 4 --no-autoprobe
              ferryctl device bind pci-0000:41:00.3
            """,
        subcommands: [
            DeviceShowCommand.self, DeviceBindCommand.self, DeviceUnbindCommand.self,
            DeviceFunctionsCommand.self,
        ],
        defaultSubcommand: DeviceShowCommand.self
    )
}
