internal import APIClient
internal import ArgumentParser

struct ImagesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "images",
        abstract: "List the images."
    )

    @OptionGroup var list: ListOptions
    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let images = try client.images(list.choice, limit: list.limit ?? .max)
            printer.show(list: images, ImageReport.table(images))
            return .success
        }
    }
}
