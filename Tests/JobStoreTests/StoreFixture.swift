import GRDB
import Glibc
import JobStore
import MigrationCore
import MigrationPorts
import Synchronization
import SystemIO
import Testing

/// A directory of a test's own for a store's files, removed with them.
final class StoreFixture {
    let directory: String
    let damage = DamageLog()

    var path: String { "\(directory)/ferry.sqlite" }

    init() throws {
        var template = Array("/tmp/ferry-test-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Errno(number: errno) }
        let bytes = template.dropLast().map { UInt8(bitPattern: $0) }
        directory = String(decoding: bytes, as: UTF8.self)
    }

    deinit {
        for name in (try? BoundedFile.names(in: directory)) ?? [] {
            unsafe unlink("\(directory)/\(name)")
        }
        unsafe rmdir(directory)
    }

    func open() throws(Problem) -> SQLiteJobStore {
        try SQLiteJobStore(path: path) { [damage] in damage.append($0) }
    }

    func bytes(of path: String) throws -> [UInt8] {
        try BoundedFile.bytes(at: path, limit: 1 << 26)
    }

    func write(_ bytes: some Collection<UInt8>, to path: String) throws {
        let file = try FileDescriptor(opening: path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        try unsafe Array(bytes).withUnsafeBytes { try unsafe file.writeAll($0) }
    }

    /// Changes the file behind the store's back.
    func tamper(_ sql: String) throws {
        let database = try DatabaseQueue(path: path)
        try database.write { try $0.execute(sql: sql) }
        try database.close()
    }

    /// A fixture with the files as a death of the process would leave them now, the log cut to so
    /// many bytes when a number is given.
    func copyAfterCrash(logByteCount: Int? = nil) throws -> StoreFixture {
        let copy = try StoreFixture()
        try copy.write(bytes(of: path), to: copy.path)
        let log = try bytes(of: "\(path)-wal")
        try copy.write(log.prefix(logByteCount ?? log.count), to: "\(copy.path)-wal")
        return copy
    }
}

/// What a store reported as damaged.
final class DamageLog: Sendable {
    private let entries = Mutex<[DamagedRecord]>([])

    var all: [DamagedRecord] { entries.withLock { $0 } }

    func append(_ entry: DamagedRecord) { entries.withLock { $0.append(entry) } }
}

/// The identifier of a text that is one.
func id<Kind>(_ text: String) throws -> Identifier<Kind> {
    try #require(Identifier<Kind>(text))
}

extension SQLiteJobStore {
    /// The newest jobs, up to a limit.
    func newest(_ limit: Int) throws(Problem) -> [Job] {
        try jobs(JobWalk(limit: limit)).jobs.map(\.job)
    }
}
