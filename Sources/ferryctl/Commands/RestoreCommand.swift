internal import APIClient
internal import APISchema
internal import ArgumentParser

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Restore an image into a device."
    )

    @Argument(help: "The image.")
    var image: String

    @Argument(help: "The device.")
    var target: String

    @Flag(help: "Accept that the image's source ran on, so that two devices hold one state.")
    var acceptCopy = false

    @Flag(help: "Overwrite what the device holds.")
    var discardTargetContent = false

    @OptionGroup var job: JobOptions
    @OptionGroup var options: ServerOptions

    func run() throws {
        var request = JobRequestDTO(kind: "restore", devices: [.init(target: target)])
        request.image = image
        request.acceptCopy = acceptCopy ? true : nil
        request.discardTargetContent = discardTargetContent ? true : nil
        try job.submit(request, options)
    }
}
