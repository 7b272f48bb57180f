internal import GRDB
package import MigrationCore
internal import MigrationPorts

/// The events that are there.
extension SQLiteJobStore {
    /// Events in order; damaged ones are told of, and keep their numbers.
    package func events(
        after sequence: Int64,
        limit: Int
    ) throws(Problem) -> [StoredEvent] {
        let rows = try rows(
            """
            SELECT sequence AS ordinal, 'event' AS name, body FROM event
            WHERE sequence > ? ORDER BY sequence LIMIT ?
            """,
            [sequence, max(0, limit)]
        )
        return rows.map { row in
            switch RecordText.decode(Event.self, from: row.body, of: "event \(row.ordinal)") {
            case .success(let event): return StoredEvent(sequence: row.ordinal, event: event)
            case .failure(let damage):
                onDamage(damage)
                return StoredEvent(sequence: row.ordinal, event: nil)
            }
        }
    }

    package func eventSpan() throws(Problem) -> EventSpan {
        let rows = try rows(
            """
            SELECT coalesce((SELECT min(sequence) - 1 FROM event), seq) AS ordinal,
                '' AS name, CAST(seq AS TEXT) AS body
            FROM sqlite_sequence WHERE name = 'event'
            """
        )
        guard let row = rows.first else { return EventSpan(forgotten: 0, newest: 0) }
        let newest = row.body.flatMap { Int64($0) } ?? row.ordinal
        return EventSpan(forgotten: row.ordinal, newest: newest)
    }
}
