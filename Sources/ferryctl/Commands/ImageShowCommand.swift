internal import APIClient
internal import ArgumentParser

struct ImageShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show an image."
    )

    @Argument(help: "The image.", completion: .custom(Suggestions.images))
    var id: String

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let image = try client.image(id)
            printer.show(image, ImageReport.text(image))
            return .success
        }
    }
}
