internal import APIClient
internal import APISchema
internal import ArgumentParser

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Restore an image into devices.",
        discussion: "An image of several devices wants SOURCE=TARGET for each of them."
    )

    @Argument(help: "The image.")
    var image: String

    @Argument(help: "The device, or SOURCE=TARGET for each device of the image.")
    var targets: [String]

    @Flag(help: "Accept that the image's source ran on, so that two devices hold one state.")
    var acceptCopy = false

    @Flag(help: "Overwrite what the device holds.")
    var discardTargetContent = false

    @OptionGroup var job: JobOptions
    @OptionGroup var options: ServerOptions

    func run() throws {
        var request = JobRequestDTO(kind: "restore", devices: DevicePair.targets(in: targets))
        request.image = image
        request.acceptCopy = acceptCopy ? true : nil
        request.discardTargetContent = discardTargetContent ? true : nil
        try job.submit(request, options)
    }
}
