internal import APIClient
internal import ArgumentParser

struct MetricsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics",
        abstract: "Print ferryd's metrics, in the text format of Prometheus."
    )

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, _ throws(ClientProblem) in
            let lines = try client.metrics().split(
                separator: "\n",
                omittingEmptySubsequences: false
            )
            Terminal.standardOutput.write(
                lines.map { printable(String($0)) }.joined(separator: "\n")
            )
            return .success
        }
    }
}
