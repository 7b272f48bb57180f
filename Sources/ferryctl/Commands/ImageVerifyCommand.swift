internal import APIClient
internal import ArgumentParser

struct ImageVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Read all of an image on its server, and compare it with what was saved."
    )

    @Argument(help: "The image.", completion: .custom(Suggestions.images))
    var id: String

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let report = try client.verifyImage(id)
            printer.show(report, ImageReport.verification(report))
            return .success
        }
    }
}
