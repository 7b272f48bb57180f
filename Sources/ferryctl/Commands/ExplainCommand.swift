internal import ArgumentParser

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Explain a problem's code: what it means, and what to do. Asks no server.",
        discussion: """
            Without a code it lists them.

              ferryctl explain target-has-content
            """
    )

    /// Longer lines are hard to read.
    private static let lineLimit = 80

    @Argument(
        help: "The code.",
        completion: .custom { _, _, _ in Explanation.all.map(\.code) }
    )
    var code: String?

    func validate() throws {
        guard let code, Explanation.of(code) == nil else { return }
        throw ValidationError("There is no problem '\(code)'; ferryctl explain lists them.")
    }

    func run() {
        let terminal = Terminal.standardOutput
        if let explanation = code.flatMap(Explanation.of) {
            return terminal.write(explanation.text(width: min(Self.lineLimit, terminal.width)))
        }
        var table = Table("CODE", "HTTP", "TITLE")
        for explanation in Explanation.all {
            table.add(explanation.code, "\(explanation.status)", explanation.title)
        }
        terminal.write(table.text)
    }
}
