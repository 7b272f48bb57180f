internal import APISchema
internal import MigrationCore

/// What the audit is filtered by.
///
/// Its records come out of the store a stretch at a time, so they are sorted only as they lie there.
enum AuditFields {
    static let table = FieldTable<AuditRecord>(
        list: "audit",
        order: "-started_at",
        members: [
            "id", "action", "subject", "state", "requested_by", "request_id", "started_at",
            "finished_at", "forced", "wanted", "before", "after", "undone", "error",
        ],
        sortable: ["started_at"],
        fields: [
            .text("id") { $0.id.text },
            .text("action") { $0.action.name },
            .text("subject") { $0.subject.text },
            .text("state") { $0.state.name },
            .text("requested_by") { $0.requester.name },
            .text("request_id") { $0.requester.requestID },
            .time("started_at") { $0.startedAt },
            .time("finished_at") { $0.finishedAt },
            .flag("forced") { $0.action.isForced },
            .text("wanted.driver") { WantedChangeDTO($0.action)?.driver },
            .text("before.driver") { $0.before?.driver },
            .text("after.driver") { $0.after?.driver },
            .flag("undone") { $0.isUndone },
            .text("error.code") { $0.state.problem?.code.rawValue },
            .text("error.errno") { $0.state.problem?.facts.errno?.name },
        ]
    )
}
