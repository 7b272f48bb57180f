internal import GRDB

/// The tables, by version.
///
/// A migration that was released is never changed; the next one follows.
///
/// `body` is the Core value as JSON and the truth; the columns beside it are what queries need.
enum Schema {
    private static let first = """
        CREATE TABLE meta (
            key TEXT NOT NULL PRIMARY KEY,
            value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- ordinal: the order of creation.
        CREATE TABLE job (
            ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL,
            state TEXT NOT NULL,
            finished INTEGER NOT NULL,
            body TEXT NOT NULL
        ) STRICT;
        CREATE INDEX job_unfinished ON job (ordinal) WHERE finished = 0;

        CREATE TABLE journal (
            job INTEGER NOT NULL REFERENCES job (ordinal) ON DELETE CASCADE,
            sequence INTEGER NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (job, sequence)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE session (
            ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            body TEXT NOT NULL
        ) STRICT;

        CREATE TABLE image (
            ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            body TEXT NOT NULL
        ) STRICT;

        -- AUTOINCREMENT: a sequence number is never used again, not even for a forgotten event.
        CREATE TABLE event (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            body TEXT NOT NULL
        ) STRICT;
        """

    private static let second = """
        -- Which of a job's two decisions came first; the other one is refused.
        CREATE TABLE decision (
            job INTEGER NOT NULL PRIMARY KEY REFERENCES job (ordinal) ON DELETE CASCADE,
            decision TEXT NOT NULL
        ) STRICT;

        CREATE TABLE set_duration (
            id TEXT NOT NULL PRIMARY KEY,
            body TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        """

    private static let third = """
        -- settled: the age of the store when the job was first found ended for good.
        ALTER TABLE job ADD COLUMN settled INTEGER;
        CREATE INDEX job_settled ON job (settled) WHERE settled IS NOT NULL;
        CREATE INDEX job_unsettled ON job (ordinal) WHERE settled IS NULL;

        ALTER TABLE session ADD COLUMN open INTEGER NOT NULL DEFAULT 1;
        ALTER TABLE session ADD COLUMN settled INTEGER;
        -- Of a record that cannot be read nobody knows that it has ended.
        UPDATE session SET open = CASE
            WHEN json_valid(body) THEN coalesce(json_extract(body, '$.status') = 'open', 1)
            ELSE 1
        END;
        CREATE INDEX session_settled ON session (settled) WHERE settled IS NOT NULL;
        CREATE INDEX session_unsettled ON session (ordinal) WHERE open = 0 AND settled IS NULL;

        -- What keyed requests were answered with; kept: the age of the store then.
        CREATE TABLE answer (
            caller TEXT NOT NULL,
            method TEXT NOT NULL,
            path TEXT NOT NULL,
            key TEXT NOT NULL,
            body_digest TEXT NOT NULL,
            status INTEGER NOT NULL,
            location TEXT NOT NULL,
            body BLOB NOT NULL,
            kept INTEGER NOT NULL,
            PRIMARY KEY (caller, method, path, key)
        ) STRICT;
        CREATE INDEX answer_kept ON answer (kept);

        INSERT INTO meta (key, value) VALUES ('age', '0');
        """

    private static let fourth = """
        -- ordinal: the order in which changes were asked for; settled: as a job's.
        CREATE TABLE audit (
            ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            finished INTEGER NOT NULL,
            settled INTEGER,
            body TEXT NOT NULL
        ) STRICT;
        CREATE INDEX audit_unfinished ON audit (ordinal) WHERE finished = 0;
        CREATE INDEX audit_settled ON audit (settled) WHERE settled IS NOT NULL;
        CREATE INDEX audit_unsettled ON audit (ordinal) WHERE finished = 1 AND settled IS NULL;
        """

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { connection in
            try connection.execute(sql: first)
            try connection.execute(
                sql: "INSERT INTO meta (key, value) VALUES ('store_id', ?)",
                arguments: [newStoreID()]
            )
        }
        migrator.registerMigration("2") { connection in try connection.execute(sql: second) }
        migrator.registerMigration("3") { connection in try connection.execute(sql: third) }
        migrator.registerMigration("4") { connection in try connection.execute(sql: fourth) }
        return migrator
    }

    /// Makes or upgrades the tables, and returns the store's id.
    @discardableResult
    static func bringUpToDate(_ database: some DatabaseWriter) throws -> String {
        try migrator.migrate(database)
        let id = try database.read {
            try String.fetchOne($0, sql: "SELECT value FROM meta WHERE key = 'store_id'")
        }
        guard let id else { throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
        return id
    }

    /// Sees that a file that is there has our tables, and is of no newer ferryd.
    ///
    /// A store is only ever made whole, so one without tables has lost them.
    static func check(_ connection: Database) throws {
        guard try connection.tableExists("grdb_migrations"),
            try !migrator.appliedIdentifiers(connection).isEmpty
        else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "its tables are missing") }
        if try migrator.hasBeenSuperseded(connection) {
            throw DatabaseError(message: "it was written by a newer ferryd: start that one")
        }
    }

    /// 64 random bits in hexadecimal.
    private static func newStoreID() -> String {
        String(UInt64.random(in: (1 << 60)...UInt64.max), radix: 16)
    }
}
