internal import APIClient
internal import ArgumentParser

struct ImageUploadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upload",
        abstract: "Upload a tar archive that was downloaded, as the image it is of.",
        discussion: """
            When the connection breaks it goes on where it was; --resume goes on where an earlier \
            ferryctl was.

              ferryctl --context lab image upload nightly nightly.tar
            """
    )

    @Argument(help: "The image, by the name it was saved under.")
    var id: String

    @Argument(help: "The file.", completion: .file(extensions: ["tar"]))
    var file: String

    @Flag(help: "Send only what the server does not have of it.")
    var resume = false

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let image = try ContentTransfer(client: client, printer: printer)
                .upload(file, as: id, resume: resume)
            printer.show(image, ImageReport.text(image))
            return .success
        }
    }
}
