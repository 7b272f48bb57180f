internal import APISchema

/// Sessions for a person.
enum SessionReport {
    static func table(_ sessions: [SessionDTO]) -> String {
        var table = Table("SESSION", "DEVICE", "ORIGIN", "STATUS", "CONTENT", "OPENED", "NOTE")
        for session in sessions {
            table.add(
                session.id,
                session.device,
                session.origin,
                session.status,
                session.content,
                session.openedAt,
                session.note
            )
        }
        return table.text
    }

    static func text(_ session: SessionDTO) -> String {
        var facts = FactList()
        facts.add("session", session.id)
        facts.add("device", session.device)
        facts.add("origin", session.origin)
        facts.add("status", session.status)
        facts.add("content", session.content + (session.reproducible ? " (reproducible)" : ""))
        facts.add("opened", session.openedAt)
        facts.add("closed", session.closedAt)
        facts.add("sidecar", session.sidecarBytes.map(bytes))
        facts.add("note", session.note)
        return facts.text()
    }
}
