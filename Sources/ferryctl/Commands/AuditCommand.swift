internal import APIClient
internal import ArgumentParser

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Show who changed which device, and what came of it.",
        discussion: """
            Newest first, 100 unless --limit says otherwise; or one record.

              ferryctl audit --filter 'state != succeeded' --limit 20
              ferryctl audit aud-1f6c0de5a1b24c77
            """
    )

    @Argument(help: "One record.")
    var id: String?

    @OptionGroup var list: ListOptions
    @OptionGroup var options: ServerOptions

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            if let id {
                let record = try client.auditRecord(id)
                printer.show(record, AuditReport.text(record))
            } else {
                let records = try client.audit(list.choice, limit: list.limit ?? 100)
                printer.show(list: records, AuditReport.table(records))
            }
            return .success
        }
    }
}
