internal import APISchema
internal import JSONCoding
internal import MigrationCore

/// The event stream as `text/event-stream` writes it.
struct EventText: Sendable {
    /// The part of every id that is the store's.
    let store: String

    /// What a stream begins with: how long a client waits before it comes back.
    static let opening = Array("retry: 2000\n\n".utf8)

    /// An event; `now` is for one that the store cannot read any more, or that JSON cannot say,
    /// which is a gap.
    func block(of stored: StoredEvent, at now: Timestamp) -> [UInt8] {
        let id = EventID(stored.sequence, of: store)
        if let event = stored.event, let text = text(of: EventDTO(event, id: id)) { return text }
        return gap(at: stored.sequence, oldest: stored.sequence, now)
    }

    func ready(at sequence: Int64, _ now: Timestamp) -> [UInt8] {
        let id = EventID(sequence, of: store).text
        return text(of: EventDTO(id: id, type: EventType.ready.rawValue, at: now.rfc3339)) ?? []
    }

    func gap(at sequence: Int64, oldest: Int64, _ now: Timestamp) -> [UInt8] {
        let id = EventID(sequence, of: store).text
        var event = EventDTO(id: id, type: EventType.gap.rawValue, at: now.rfc3339)
        event.oldest = EventID(oldest, of: store).text
        return text(of: event) ?? []
    }

    /// A sign of life.
    ///
    /// The id, without data, is no event for a client and still what it comes back with, so that
    /// what its filter passed over is not looked at again.
    func heartbeat(at sequence: Int64?) -> [UInt8] {
        let id = sequence.map { "id: \(EventID($0, of: store).text)\n" } ?? ""
        return Array(": keep-alive\n\(id)\n".utf8)
    }

    /// Nil for what JSON cannot say; never for what has only ids and times.
    private func text(of event: EventDTO) -> [UInt8]? {
        // JSON text has no line breaks: those within strings are escaped.
        guard let data = try? JSONWriter.encode(event) else { return nil }
        return Array("id: \(event.id)\nevent: \(event.type)\ndata: ".utf8) + data
            + Array("\n\n".utf8)
    }
}
