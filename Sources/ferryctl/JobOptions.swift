internal import APIClient
internal import APISchema
internal import ArgumentParser

/// What every command that starts a job takes.
struct JobOptions: ParsableArguments {
    @Option(name: .customLong("id"), help: ArgumentHelp("Name the job.", valueName: "name"))
    var jobID: String?

    @Option(
        name: .customLong("timeout"),
        help: ArgumentHelp("Roll the job back when it takes longer.", valueName: "seconds")
    )
    var completionTimeout: Int64?

    @Option(
        name: .customLong("label"),
        help: ArgumentHelp("Show this with the job. May be repeated.", valueName: "name=value")
    )
    var labels: [JobLabel] = []

    @Flag(help: "Start nothing: say every reason why it would be refused, and what it would cost.")
    var check = false

    @OptionGroup var waiting: WaitOptions

    func validate() throws {
        guard !check || !waiting.wait else {
            throw ValidationError("--check starts nothing that --wait could wait for.")
        }
    }

    /// Starts a job, and stays with it when it is to be waited for; or only checks it.
    func submit(_ request: JobRequestDTO, _ options: ServerOptions) throws {
        var request = request
        request.id = jobID
        if let completionTimeout {
            var limits = request.limits ?? JobRequestLimitsDTO()
            limits.completionTimeoutS = completionTimeout
            request.limits = limits
        }
        if !labels.isEmpty {
            request.labels = Dictionary(labels.map { ($0.name, $0.value) }) { $1 }
        }
        try options.run { [request] client, printer throws(ClientProblem) in
            guard !check else {
                let report = try client.checkJob(request)
                printer.show(report, CheckReport.text(report))
                return report.ok ? .success : .refused
            }
            return try JobFollower(client: client, printer: printer)
                .finish(client.createJob(request), wait: waiting.wait)
        }
    }
}

/// `name=value`.
struct JobLabel: ExpressibleByArgument {
    let name: String
    let value: String

    init?(argument: String) {
        guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else {
            return nil
        }
        name = String(argument[..<equals])
        value = String(argument[argument.index(after: equals)...])
    }
}
