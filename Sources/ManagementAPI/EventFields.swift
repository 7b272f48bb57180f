internal import APISchema
internal import MigrationCore

/// What events are filtered by.
enum EventFields {
    /// They have one order, and are told whole.
    static let table = FieldTable<EventDTO>(
        list: "events",
        order: "id",
        members: [
            "id", "type", "at", "job", "generation", "state", "phase", "session", "device",
            "status",
            "content", "image", "alert", "oldest",
        ],
        sortable: [],
        fields: [
            .text("id") { $0.id },
            .text("type") { $0.type },
            .time("at") { Timestamp(rfc3339: $0.at) },
            .text("job") { $0.job },
            .number("generation") { $0.generation },
            .text("state") { $0.state },
            .text("phase") { $0.phase },
            .text("session") { $0.session },
            .text("device") { $0.device },
            .text("status") { $0.status },
            .text("content") { $0.content },
            .text("image") { $0.image },
            .text("alert") { $0.alert },
        ]
    )
}
