internal import APISchema

/// Events for a person.
enum EventReport {
    /// `2026-12-01T03:17:06.675Z  job.changed      move  running stop_copy`.
    static func line(_ event: EventDTO) -> String {
        let subject = event.job ?? event.session ?? event.image ?? event.device ?? "-"
        var words = [event.state, event.phase, event.status, event.content, event.alert]
        if event.session != nil { words.insert(event.device, at: 0) }
        let type = printable(event.type)
        return printable(event.at) + "  " + type
            + String(repeating: " ", count: max(0, 15 - type.count)) + "  " + printable(subject)
            + "  " + printable(words.compactMap { $0 }.joined(separator: " ")) + "\n"
    }
}
