internal import APIClient
internal import ArgumentParser
internal import Glibc

struct ImageDownloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "download",
        abstract: "Download an image as a tar archive.",
        discussion: """
            The file has its name only when all of it is there. What an earlier, broken download of \
            the same content left beside it is not fetched again.
            """
    )

    @Argument(help: "The image.", completion: .custom(Suggestions.images))
    var id: String

    @Argument(help: "The file, or - for stdout.", completion: .file(extensions: ["tar"]))
    var file: String

    @Flag(help: "Overwrite the file if there is one.")
    var force = false

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let exists = unsafe access(file, F_OK) == 0
            guard file == "-" || force || !exists else {
                throw .file(path: file, detail: "is there already; --force overwrites it.")
            }
            let count = try ContentTransfer(client: client, printer: printer)
                .download(id, to: file)
            if file != "-" {
                printer.show(
                    Downloaded(image: id, file: file, sizeBytes: count),
                    "image \(id), \(bytes(count)), in \(file)\n"
                )
            }
            return .success
        }
    }

    private struct Downloaded: Encodable {
        let image: String
        let file: String
        let sizeBytes: Int64
    }
}
