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

    /// Makes the file when there is none, so that only its owner can read it.
    ///
    /// SQLite gives the files beside it the same mode.
    static func create(_ path: String) throws(Errno) {
        _ = try FileDescriptor(opening: path, O_RDWR | O_CREAT, mode: 0o600)
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
