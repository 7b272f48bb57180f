internal import GRDB
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
    /// missing.
    static func begin(_ id: String, in database: some DatabaseWriter) throws {
        let last = try database.read {
            try String.fetchOne($0, sql: "SELECT value FROM meta WHERE key = 'boot_id'")
        }
        guard last != id else { return }
        try database.write { connection in
            try connection.execute(sql: "DELETE FROM event")
            try connection.execute(
                sql: "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'event'",
                arguments: [step]
            )
            try connection.execute(
                sql: "INSERT OR REPLACE INTO meta (key, value) VALUES ('boot_id', ?)",
                arguments: [id]
            )
        }
    }
}
