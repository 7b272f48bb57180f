internal import APIClient
internal import APISchema
internal import ArgumentParser

struct HostCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "host",
        abstract: "Show the host, its ferryd, and whether that takes work."
    )

    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let host = try client.host()
            let readiness = try client.readiness()
            var facts = FactList()
            facts.add("host", host.hostname)
            facts.add("kernel", "\(host.kernelRelease) \(host.machine)")
            facts.add("ferryd", "\(host.version), since \(host.startedAt)")
            facts.add("workers", "\(host.workers.busy) of \(host.workers.total) busy")
            facts.add("takes work", readiness.ready ? "yes" : "no")
            for check in readiness.checks {
                facts.add(check.name, check.failure ?? "ok")
            }
            printer.show(host, facts.text())
            return readiness.ready ? .success : .serverFailed
        }
    }
}
