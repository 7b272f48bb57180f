internal import APISchema
internal import JobEngine
internal import MigrationCore

extension ManagementAPI {
    func followEvents(_ call: Call) throws(Problem) -> Outcome {
        var filter: Filter<EventDTO>?
        if let text = call.query.text("filter") { filter = try Filter(text, EventFields.table) }
        let feed = engine.events
        let stream = EventStream(
            try feed.subscribe(from: cursor(of: call)),
            of: feed,
            EventText(store: feed.storeID),
            filter
        )
        return .ready(APIResponse(status: 200, headers: Self.eventHeaders, streaming: stream))
    }

    /// Says how the feed encodes events.
    static func encodeEvents(of feed: EventFeed) {
        let text = EventText(store: feed.storeID)
        feed.encode { [weak feed] stored in
            guard let feed else { return [] }
            return text.block(of: stored, at: feed.timestamp())
        }
    }

    /// The header before the parameter: a browser that comes back repeats its first target.
    private func cursor(of call: Call) -> EventCursor {
        let text = call.header("last-event-id") ?? call.query.text("after")
        guard let text, !text.isEmpty else { return .now }
        guard let id = EventID(text), id.store == engine.events.storeID else { return .unknown }
        return .after(id.sequence)
    }

    private static let eventHeaders: [(name: String, value: String)] = [
        ("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"),
        // nginx gathers what it passes on, unless it is told not to.
        ("X-Accel-Buffering", "no"),
    ]
}
