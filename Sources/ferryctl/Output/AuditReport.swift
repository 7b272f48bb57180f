internal import APISchema

/// The audit for a person.
enum AuditReport {
    static func table(_ records: [AuditRecordDTO]) -> String {
        var table = Table("RECORD", "STARTED", "BY", "ACTION", "SUBJECT", "STATE", "ERROR")
        for record in records {
            table.add(
                record.id,
                record.startedAt,
                record.requestedBy,
                record.action + (record.forced ? " (forced)" : ""),
                record.subject,
                record.state,
                record.error.map { [$0.code, $0.errno].compactMap(\.self).joined(separator: " ") }
            )
        }
        return table.text
    }

    static func text(_ record: AuditRecordDTO) -> String {
        var facts = FactList()
        facts.add("record", record.id)
        facts.add("action", record.action + (record.forced ? " (forced)" : ""))
        facts.add("subject", record.subject)
        facts.add("state", record.state)
        facts.add("requested by", record.requestedBy)
        facts.add("request", record.requestId)
        facts.add("started", record.startedAt)
        facts.add("finished", record.finishedAt)
        facts.add("wanted", record.wanted.map(text))
        facts.add("before", record.before.map(text))
        facts.add("after", record.after.map(text))
        facts.add("undone", record.undone.map { $0 ? "yes" : "no" })
        facts.add("error", record.error.map { "\($0.code): \($0.detail)" })
        for reason in record.error?.reasons ?? [] { facts.add("reason", reason) }
        return facts.text()
    }

    private static func text(_ wanted: WantedChangeDTO) -> String {
        text(wanted.driver, nil, wanted.virtualFunctionsCount, wanted.autoprobe)
            + [wanted.parent, wanted.type].compactMap(\.self).joined(separator: " ")
    }

    private static func text(_ place: DevicePlaceDTO) -> String {
        text(place.driver, place.driverOverride, place.virtualFunctionsCount, place.autoprobe)
    }

    private static func text(
        _ driver: String?,
        _ override: String?,
        _ count: Int?,
        _ isProbed: Bool?
    ) -> String {
        [
            driver.map { "driver \($0)" }, override.map { "driver_override \($0)" },
            count.map { "\($0) virtual functions" },
            isProbed.map { $0 ? "autoprobe" : "no autoprobe" },
        ].compactMap(\.self).joined(separator: ", ")
    }
}
