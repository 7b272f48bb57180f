internal import ArgumentParser

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Explain the code of a problem: what it means and what to do. Asks no server.",
        discussion: "  ferryctl explain target-has-content"
    )

    func run() {}
}
