internal import APIClient
internal import APISchema
internal import ArgumentParser

struct LimitsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limits",
        abstract: "Show a job's limits, or change them while it runs.",
        discussion: "  ferryctl limits move --downtime 2000 --on-timeout switch"
    )

    @Argument(help: "The job.", completion: .custom(Suggestions.jobs))
    var id: String

    @OptionGroup var limits: PreCopyLimitOptions

    @Option(
        name: .customLong("timeout"),
        help: ArgumentHelp("How long the job may take.", valueName: "seconds")
    )
    var completionTimeout: Int64?

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            var (shown, tag) = try client.limits(ofJob: id)
            if let request = change(of: shown, try client.job(id).kind) {
                shown = try client.changeLimits(ofJob: id, to: request, ifMatch: tag)
            }
            printer.show(shown, JobReport.limits(shown) + "\n")
            return .success
        }
    }

    /// The limits there are with what the command line says; nil when it says nothing.
    private func change(of limits: JobLimitsDTO, _ kind: String) -> JobRequestLimitsDTO? {
        guard self.limits.request != nil || completionTimeout != nil else { return nil }
        let wanted = self.limits.request
        var change = wanted ?? JobRequestLimitsDTO()
        change.completionTimeoutS = completionTimeout ?? limits.completionTimeoutS
        change.onTimeout = wanted?.onTimeout ?? limits.onTimeout
        // The others belong to a pre-copy.
        guard kind == "migrate" || kind == "save" else { return change }
        change.bandwidthBytesPerSecond =
            wanted?.bandwidthBytesPerSecond ?? limits.bandwidthBytesPerSecond
        change.downtimeMs = wanted?.downtimeMs ?? limits.downtimeMs
        change.progressTimeoutS = wanted?.progressTimeoutS ?? limits.progressTimeoutS
        return change
    }
}
