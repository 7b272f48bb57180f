internal import GRDB
package import MigrationCore
package import MigrationPorts

/// Jobs, journals, sessions, images and events in one SQLite file, by GRDB.
///
/// One writer at a time; reads run beside it on connections of their own and see whole
/// transactions. Every call blocks on the file. The file is ours alone: see
/// ``StateDirectoryLock``.
package final class SQLiteJobStore: JobStore {
    /// The part of every event's id that tells this store from one made anew.
    package let storeID: String
    let path: String
    let database: DatabasePool
    private let retention: EventRetention
    private let clock: any HostClock
    let onDamage: @Sendable (DamagedRecord) -> Void
    /// What was lost of the write-ahead log when the store was opened.
    ///
    /// It may have held any line of the journals of jobs that had not ended.
    let lostLog: DamagedRecord?

    /// Opens the store, made with mode 0600 when there is none, and brings its schema up to date.
    ///
    /// One that is damaged is refused and left as it is. At a checkpoint the events that
    /// `retention` does not keep are forgotten. `onDamage` hears of every record that a read had to
    /// leave out. `boot` is what the machine calls its boot. Throws `store-failed`.
    package init(
        path: String,
        retention: EventRetention = EventRetention(),
        clock: any HostClock = MachineClock(),
        boot: String? = nil,
        onDamage: @escaping @Sendable (DamagedRecord) -> Void = { _ in }
    ) throws(Problem) {
        self.path = path
        self.retention = retention
        self.clock = clock
        self.onDamage = onDamage
        do {
            try StoreFile.prepare(path)
            lostLog = try WriteAheadLog.damage(beside: path)
            database = try DatabasePool(path: path, configuration: StoreFile.configuration)
            storeID = try Schema.bringUpToDate(database)
            try Boot.begin(
                boot ?? Boot.current,
                in: database,
                hasLostLog: lostLog != nil
            )
        } catch {
            throw StoreProblem.make(error, during: "open", of: path)
        }
        if let lostLog { onDamage(lostLog) }
    }

    /// Applies the whole change in one transaction, or nothing of it.
    ///
    /// A `machine` change is on the disk, and so is every one before it, when this returns. One
    /// that threw has no effect a reader of this store can see; if the disk failed in the middle
    /// of it, what the file holds after a crash of the machine is unknown.
    package func apply(_ change: StoreChange, _ durability: Durability) throws(Problem) {
        let rows = try ChangeRows(change)
        try perform("write") {
            try database.writeWithoutTransaction { connection in
                try durability.enforce(on: connection)
                try connection.inTransaction(.immediate) {
                    try rows.write(to: connection)
                    return .commit
                }
            }
        }
    }

    /// Moves the write-ahead log into the file and forgets the oldest events.
    ///
    /// For idle times: it writes and fsyncs as much as was changed since the last one.
    package func checkpoint() throws(Problem) {
        try perform("checkpoint") {
            try database.writeWithoutTransaction { connection in
                try retention.apply(to: connection, at: clock.timestamp())
                _ = try connection.checkpoint(.passive)
            }
        }
    }

    /// How large the file and its log are.
    package func sizes() -> StoreSizes {
        StoreSizes(
            databaseByteCount: StoreFile.byteCount(path),
            logByteCount: StoreFile.byteCount("\(path)-wal")
        )
    }

    /// What SQLite's writing connection is set to now.
    package func synchronousSetting() throws(Problem) -> Int? {
        try perform("read") {
            try database.writeWithoutTransaction { try Durability.synchronousSetting(of: $0) }
        }
    }

    /// Runs work on the database and turns what it throws into a ``Problem``.
    func perform<Result>(
        _ operation: String,
        _ work: () throws -> Result
    ) throws(Problem) -> Result {
        do {
            return try work()
        } catch {
            throw StoreProblem.make(error, during: operation, of: path)
        }
    }
}

extension Durability {
    /// SQLite's `PRAGMA synchronous`: with a write-ahead log NORMAL fsyncs in checkpoints only, and
    /// FULL at every commit.
    private var synchronousSetting: Int {
        switch self {
        case .process: 1
        case .machine: 2
        }
    }

    /// Sets the connection to this durability, outside a transaction, and sees that it took.
    func enforce(on connection: Database) throws {
        let wanted = synchronousSetting
        if try Self.synchronousSetting(of: connection) == wanted { return }
        try connection.execute(sql: "PRAGMA synchronous = \(wanted)")
        guard try Self.synchronousSetting(of: connection) == wanted else {
            throw DatabaseError(message: "PRAGMA synchronous = \(wanted) had no effect")
        }
    }

    fileprivate static func synchronousSetting(of connection: Database) throws -> Int? {
        try Int.fetchOne(connection, sql: "PRAGMA synchronous")
    }
}
