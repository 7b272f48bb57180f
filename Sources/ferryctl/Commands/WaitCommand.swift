internal import APIClient
internal import APISchema
internal import ArgumentParser

struct WaitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Wait until jobs have ended.",
        discussion: """
            The exit code is that of the job that ended worst: indeterminate (7), failed (1), \
            cancelled (6); or 9 when the time is over first.

              ferryctl wait job-1 job-2 --timeout 600
            """
    )

    @Argument(help: "The jobs.", completion: .custom(Suggestions.jobs))
    var ids: [String]

    @Option(help: ArgumentHelp("Wait no longer.", valueName: "seconds"))
    var timeout: Int?

    @OptionGroup var options: ServerOptions

    func validate() throws {
        if let timeout, timeout < 0 { throw ValidationError("The timeout is negative.") }
    }

    func run() throws {
        let deadline = timeout.map { ContinuousClock.now + .seconds($0) }
        try options.run { client, printer throws(ClientProblem) in
            let follower = JobFollower(client: client, printer: printer)
            var jobs: [JobDTO] = []
            for id in ids { jobs.append(try client.job(id)) }
            for (index, job) in jobs.enumerated() {
                jobs[index] = try follower.follow(job, until: deadline)
            }
            let text = { jobs.map { JobReport.end(of: $0) }.joined() }
            if jobs.count == 1, let job = jobs.first {
                printer.show(job, text())
            } else {
                printer.show(list: jobs, text())
            }
            return ExitStatus(endsOf: jobs)
        }
    }
}
