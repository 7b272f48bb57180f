internal import GRDB
import MigrationPorts
import SystemIO

/// The boot of the machine, which the numbers of events must outlive.
enum Boot {
    /// What the kernel calls this boot; one of its own for every call where it does not say.
    static var current: String {
        (try? BoundedFile.text(at: "/proc/sys/kernel/random/boot_id"))
            ?? "unknown-\(UInt64.random(in: .min ... .max))"
    }

    /// Between the last number of a boot and the first of the next.
    ///
    /// More than any machine commits between two fsyncs.
    private static let step: Int64 = 1 << 20

    /// Sees that no number is given again that a lost end of the log may have held.
    ///
    /// Events are committed without an fsync. When the machine dies, the last of them may be gone
    /// although somebody was told of them: nobody knows how many. So the numbers of each boot are
    /// apart from those before, and the events before are forgotten, as what followed them may be
    /// missing. The same goes for a log that was found damaged. That is on the disk when this
    /// returns, before anybody hears of a number: else the next boot would begin with the same ones.
    static func begin(
        _ id: String,
        in database: some DatabaseWriter,
        hasLostLog: Bool
    ) throws {
        let last = try database.read {
            try String.fetchOne($0, sql: "SELECT value FROM meta WHERE key = 'boot_id'")
        }
        guard last != id || hasLostLog else { return }
        try database.writeWithoutTransaction { connection in
            try Durability.machine.enforce(on: connection)
            try connection.inTransaction(.immediate) {
                if last != nil || hasLostLog { try leaveNumbers(on: connection) }
                try connection.execute(
                    sql: "INSERT OR REPLACE INTO meta (key, value) VALUES ('boot_id', ?)",
                    arguments: [id]
                )
                return .commit
            }
        }
    }

    /// Forgets the events, and leaves out the numbers that may have been told behind the last one.
    private static func leaveNumbers(on connection: Database) throws {
        try connection.execute(sql: "DELETE FROM event")
        // The first events may be among those that are gone, and the count of them, too.
        try connection.execute(
            sql: """
                INSERT INTO sqlite_sequence (name, seq) SELECT 'event', 0
                WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'event')
                """
        )
        try connection.execute(
            sql: "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'event'",
            arguments: [step]
        )
    }
}
