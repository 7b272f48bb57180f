internal import APIClient
internal import APISchema
internal import ArgumentParser

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Restore an image into devices.",
        discussion: """
            An image of several devices wants SOURCE=TARGET for each of them. What a device's user \
            left beside it, its sidecar, comes back with its state.

              ferryctl restore nightly sim-1 --accept-copy --wait
              ferryctl restore pair sim-0=sim-2 sim-1=sim-3 --check
            """
    )

    @Argument(help: "The image.", completion: .custom(Suggestions.images))
    var image: String

    @Argument(
        help: "The device, or SOURCE=TARGET for each device of the image.",
        completion: .custom(Suggestions.devices)
    )
    var targets: [String]

    @Flag(help: "Accept that the image's source ran on, so that two devices hold one state.")
    var acceptCopy = false

    @Flag(help: "Overwrite what the device holds.")
    var discardTargetContent = false

    @Flag(
        name: .customLong("no-p2p-mappings"),
        help: "No device of the set maps another's memory: restore it without P2P states."
    )
    var noP2PMappings = false

    @OptionGroup var job: JobOptions
    @OptionGroup var options: ServerOptions

    func run() throws {
        var request = JobRequestDTO(kind: "restore", devices: DevicePair.targets(in: targets))
        request.image = image
        request.noP2pMappings = noP2PMappings ? true : nil
        request.acceptCopy = acceptCopy ? true : nil
        request.discardTargetContent = discardTargetContent ? true : nil
        try job.submit(request, options)
    }
}
