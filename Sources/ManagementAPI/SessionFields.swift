internal import MigrationCore

/// What sessions are filtered and sorted by.
enum SessionFields {
    static let table = FieldTable<SessionRecord>(
        list: "sessions",
        order: "-opened_at,-id",
        members: [
            "id", "device", "origin", "status", "content", "reproducible", "opened_at",
            "closed_at", "note", "sidecar_bytes",
        ],
        sortable: [
            "id", "device", "origin", "status", "content", "reproducible", "opened_at",
            "closed_at", "sidecar_bytes",
        ],
        fields: [
            .text("id") { $0.id.text },
            .text("device") { $0.device.text },
            .text("origin") { $0.origin.rawValue },
            .text("status") { $0.status.rawValue },
            .text("content") { $0.content.rawValue },
            .flag("reproducible") { $0.isReproducible },
            .time("opened_at") { $0.openedAt },
            .time("closed_at") { $0.closedAt },
            .text("note") { $0.note },
            .number("sidecar_bytes") { $0.sidecar.map { Int64($0.bytes.count) } },
        ]
    )
}
