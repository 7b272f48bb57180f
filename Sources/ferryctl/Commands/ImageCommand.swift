internal import APIClient
internal import ArgumentParser

struct ImageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image",
        abstract: "Show an image, or delete it."
    )

    @Argument(help: "The image.")
    var id: String

    @Flag(help: "Delete the image and its content.")
    var delete = false

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            guard !delete else {
                try client.deleteImage(id)
                return .success
            }
            let image = try client.image(id)
            printer.show(image, ImageReport.text(image))
            return .success
        }
    }
}
