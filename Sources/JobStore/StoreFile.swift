internal import GRDB
internal import Glibc
import MigrationCore
import SystemIO

/// The file of the store, and how its connections are set.
enum StoreFile {
    /// Pages of 4 KiB after which SQLite checkpoints by itself, in whatever commit that is: the
    /// bound of the write-ahead log when nobody calls `checkpoint()`.
    ///
    /// 64 MiB.
    private static let autocheckpointPageCount = 16_384

    /// Sees that there is a whole store of this version: makes one when there is none, and looks at
    /// one that is there without changing a byte of it.
    static func prepare(_ path: String) throws {
        if try isThere(path) {
            try check(path)
        } else {
            try make(path)
        }
    }

    /// Makes a store under another name first, so that no crash leaves a part of one: an empty file
    /// is a damaged store, never a new one.
    private static func make(_ path: String) throws {
        guard try !isThere("\(path)-wal") else {
            throw StoreProblem.missing(path)
        }
        let draft = "\(path).new"
        let leftovers = [draft, "\(draft)-journal", "\(draft)-wal", "\(draft)-shm", "\(path)-shm"]
        for name in leftovers { try remove(name) }
        // Only its owner can read it; SQLite gives the files beside it the same mode.
        _ = try FileDescriptor(opening: draft, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        // In the mode it will be used in: turning to it later would be a change with a journal of its
        // own, which a connection that cannot write could not take back.
        var configuration = Configuration()
        configuration.journalMode = .wal
        let queue = try DatabaseQueue(path: draft, configuration: configuration)
        try Schema.bringUpToDate(queue)
        try queue.close()
        // The last close moves the log into the file, and says nothing when it cannot.
        guard try !isThere("\(draft)-wal") else { throw Errno.io }
        guard unsafe rename(draft, path) == 0 else { throw Errno(number: errno) }
        try Directory(opening: directory(of: path)).synchronize()
    }

    private static func check(_ path: String) throws {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(2)
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.read { connection in
            let found = try String.fetchAll(connection, sql: "PRAGMA integrity_check(1)")
            guard found == ["ok"] else {
                throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: found.first)
            }
            try Schema.check(connection)
        }
        try queue.close()
    }

    /// The size of a file; 0 when it is not there.
    static func byteCount(_ path: String) -> UInt64 {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return 0 }
        return UInt64(max(0, status.st_size))
    }

    private static func isThere(_ path: String) throws(Errno) -> Bool {
        var status = stat()
        if unsafe lstat(path, &status) == 0 { return true }
        let error = Errno(number: errno)
        guard error == .noEntry else { throw error }
        return false
    }

    private static func remove(_ path: String) throws(Errno) {
        guard unsafe unlink(path) != 0 else { return }
        let error = Errno(number: errno)
        guard error == .noEntry else { throw error }
    }

    private static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "ferry.store"
        configuration.maximumReaderCount = 4
        configuration.busyMode = .timeout(2)
        configuration.prepareDatabase { connection in
            let pages = autocheckpointPageCount
            try connection.execute(sql: "PRAGMA wal_autocheckpoint = \(pages)")
            try connection.execute(sql: "PRAGMA journal_size_limit = \(pages * 4096)")
        }
        return configuration
    }
}
