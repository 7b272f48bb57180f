internal import GRDB
import MigrationCore

/// How long events are kept.
package struct EventRetention: Hashable, Sendable {
    /// So many at most.
    package var count = 100_000
    /// Those of so many days at most.
    package var days = 30

    package init() {}

    static let millisecondsOfDay: Int64 = 86_400_000

    /// Forgets the oldest events, within a transaction.
    func apply(to connection: Database, at now: Timestamp) throws {
        try connection.execute(
            sql: "DELETE FROM event WHERE sequence <= (SELECT max(sequence) FROM event) - ?",
            arguments: [max(0, count)]
        )
        // By the order of their numbers, so that no more is looked at than is forgotten, and a clock
        // that jumped makes no hole.
        let oldest = now.millisecondsSinceEpoch - Int64(days) * Self.millisecondsOfDay
        try connection.execute(
            sql: """
                DELETE FROM event WHERE sequence < coalesce(
                    (
                        SELECT sequence FROM event
                        WHERE CASE WHEN json_valid(body)
                            THEN json_extract(body, '$.at.milliseconds_since_epoch') END >= ?
                        ORDER BY sequence LIMIT 1
                    ),
                    (SELECT max(sequence) + 1 FROM event)
                )
                """,
            arguments: [oldest]
        )
    }
}
