internal import JobEngine
internal import MigrationCore

/// What jobs are filtered by.
///
/// They come out of the store a stretch at a time, so they are sorted only as they lie there.
enum JobFields {
    static let table = FieldTable<JobView>(
        list: "jobs",
        order: "-created_at",
        members: [
            "id", "kind", "state", "phase", "generation", "devices", "image", "after", "limits",
            "switchover", "progress", "may_run", "phase_times", "cancellable", "stuck_in",
            "warnings", "error", "labels", "requested_by", "created_at", "started_at",
            "finished_at", "traceparent",
        ],
        sortable: ["created_at"],
        fields: own + [
            .set("devices.device") { $0.job.devices.map(\.device.text) },
            .text("image") { $0.job.image?.text },
            .text("after") { $0.job.after?.rawValue },
            .text("switchover.mode") { $0.job.spec.switchoverMode.rawValue },
            .set("switchover.blocked_by") { $0.switchoverBlockedBy },
            .text("may_run") { $0.job.mayRun.rawValue },
            .flag("cancellable") { $0.isCancellable },
            .text("stuck_in.device") { $0.stuckIn?.device.text },
            .text("error.code") { $0.job.state.problem?.code.rawValue },
            .map("labels") { $0.job.spec.labels },
        ]
    )

    private static let own: [ListField<JobView>] = [
        .text("id") { $0.job.id.text },
        .text("kind") { $0.job.spec.work.kind.rawValue },
        .text("state") { $0.job.state.name },
        .text("phase") { $0.job.phase?.rawValue },
        .number("generation") { Int64(bytes: $0.job.generation) },
        .text("requested_by") { $0.job.requestedBy },
        .time("created_at") { $0.job.createdAt },
        .time("started_at") { $0.job.startedAt },
        .time("finished_at") { $0.job.finishedAt },
    ]
}

extension FilterExpression {
    /// The value that a text field must have for the whole to hold, where the expression says so
    /// plainly.
    func required(_ name: String) -> String? {
        switch self {
        case .all(let parts): parts.lazy.compactMap { $0.required(name) }.first
        case .comparison(let one) where one.comparator == .equal && one.field.text == name:
            one.value.text
        case .any, .not, .present, .comparison: nil
        }
    }
}
