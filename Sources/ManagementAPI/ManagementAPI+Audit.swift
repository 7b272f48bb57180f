internal import JobEngine
internal import MigrationCore

extension ManagementAPI {
    func listAudit(_ call: Call) throws(Problem) -> Outcome {
        let query = try ListQuery(AuditFields.table, call.query)
        let place = try query.place
        return .blocking { [self] () throws(Problem) in
            // One more than the page has, to tell whether there is another.
            let stretch = try engine.audit(
                from: place,
                newestFirst: query.order.isDescending,
                limit: query.limit + 1
            ) { query.filter?.matches($0) ?? true }
            let shown = stretch.records.prefix(query.limit)
            let end = stretch.records.count > query.limit ? shown.last?.place : stretch.end
            let page = ListPage(
                items: shown.map(\.record)[...],
                nextCursor: end.map { query.cursor(behind: [.number($0)]) }
            )
            return try query.response(page, audit)
        }
    }

    func getAuditRecord(_ call: Call) throws(Problem) -> Outcome {
        let id: AuditID = try call.id(of: "record of the audit")
        let selection = try FieldSelection(call.query, AuditFields.table)
        return .blocking { [self] () throws(Problem) in
            try audit.response(for: engine.auditRecord(id), selection)
        }
    }
}
