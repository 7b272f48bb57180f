import GRDB
import Glibc
import JobStore
import MigrationCore
import MigrationPorts
import SystemIO
import Testing

@Suite("Damage to the store")
struct DamageTests {
    private let fixture: StoreFixture

    init() throws { fixture = try StoreFixture() }

    private func fill() throws -> SQLiteJobStore {
        let store = try fixture.open()
        let jobs = try (1...5).map { try Samples.job("job-\($0)") }
        let entry = JournalEntry(at: Samples.time, phase: nil, line: .accepted)
        try store.apply(
            StoreChange(
                jobs: jobs,
                journal: (0..<3).map { _ in .init(job: jobs[0].id, entry: entry) },
                sessions: Samples.sessions(),
                savedImages: [Samples.image("image-1"), Samples.image("image-2")],
                events: [
                    Event(at: Samples.time, topic: .imageChanged(id("image-1"), exists: true))
                ]
            ),
            .machine
        )
        return store
    }

    @Test(
        "a job that cannot be read is told by its id and keeps no other from being read",
        arguments: ["", "{", "{}", "null", #"{"id":"../../etc"}"#]
    )
    func damagedJob(body: String) throws {
        let store = try fill()
        try fixture.tamper("UPDATE job SET body = '\(body)' WHERE id = 'job-3'")
        let problem = #expect(throws: Problem.self) { try store.job(id("job-3")) }
        #expect(problem?.code == .storeFailed)
        #expect(problem?.detail.contains("job-3") == true)
        #expect(fixture.damage.all.map(\.record) == ["job job-3"])
        let names = try store.unfinishedJobs().map(\.id.text)
        #expect(names == ["job-1", "job-2", "job-4", "job-5"])
        // Pages are as long as they would be, or the second would look like the last.
        #expect(
            try store.newest(3).map(\.id.text) == ["job-5", "job-4", "job-2"]
        )
        try store.apply(StoreChange(jobs: [Samples.job("job-3")]), .process)
        #expect(try store.job(id("job-3")) != nil)
    }

    @Test("a damaged session, image or event is left out, a damaged line shown as such, all told")
    func damagedOthers() throws {
        let store = try fill()
        try fixture.tamper("UPDATE journal SET body = '[]' WHERE sequence = 2")
        try fixture.tamper("UPDATE session SET body = '[]' WHERE id = 'session-4'")
        try fixture.tamper("UPDATE image SET body = '[]' WHERE id = 'image-1'")
        try fixture.tamper("UPDATE event SET body = '[]'")
        let journal = try store.journal(of: id("job-1"), after: 0, limit: 9)
        #expect(journal.map(\.sequence) == [1, 2, 3])
        #expect(journal.map(\.entry.line.isUnreadable) == [false, true, false])
        #expect(try store.sessions().count == 11)
        #expect(try store.images().map(\.id.text) == ["image-2"])
        #expect(try store.events(after: 0, limit: 9).isEmpty)
        #expect(
            fixture.damage.all.map(\.record) == [
                "line 2 of the journal of job job-1", "session session-4", "image image-1",
                "event 1",
            ]
        )
    }

    @Test("a field that this version does not know is ignored")
    func unknownField() throws {
        let store = try fill()
        try fixture.tamper("UPDATE job SET body = json_set(body, '$.invented_later', 1)")
        #expect(try store.newest(9).count == 5)
        #expect(fixture.damage.all == [])
    }

    @Test("a file that is no database is refused and left as it is")
    func garbage() throws {
        let garbage = Array("this is no database\n".utf8) + Array(repeating: 0xA5, count: 8192)
        try fixture.write(garbage, to: fixture.path)
        let problem = #expect(throws: Problem.self) { try fixture.open() }
        #expect(problem?.code == .storeFailed)
        #expect(problem?.detail.contains("damaged or no store") == true)
        #expect(problem?.facts.operation == "open")
        #expect(try fixture.bytes(of: fixture.path) == garbage)
    }

    @Test("a store whose tables were overwritten is refused, or says so when it is read")
    func overwrittenPages() throws {
        var store: SQLiteJobStore? = try fill()
        try store?.checkpoint()
        store = nil
        var bytes = try fixture.bytes(of: fixture.path)
        #expect(bytes.count > 5 * 4096)
        for index in 4096..<bytes.count { bytes[index] = 0xA5 }
        try fixture.write(bytes, to: fixture.path)
        let problem = #expect(throws: Problem.self) {
            let store = try fixture.open()
            _ = try store.newest(9)
        }
        #expect(problem?.code == .storeFailed)
        #expect(problem?.detail.contains("damaged or no store") == true)
    }

    @Test("an empty file, or one without our tables, is a damaged store and never a new one")
    func emptied() throws {
        _ = try fill()
        try fixture.write([], to: fixture.path)
        let problem = #expect(throws: Problem.self) { try fixture.open() }
        #expect(problem?.code == .storeFailed)
        #expect(problem?.detail.contains("put a copy back") == true)
        #expect(try fixture.bytes(of: fixture.path).isEmpty)
        let other = try StoreFixture()
        try DatabaseQueue(path: other.path).write { try $0.execute(sql: "CREATE TABLE other (x)") }
        let refused = #expect(throws: Problem.self) { try other.open() }
        #expect(refused?.detail.contains("no store of ferryd's") == true)
    }

    @Test("a store that was moved away without its log is not begun anew under that log")
    func logAlone() throws {
        let store = try fill()
        unsafe unlink(fixture.path)
        let problem = #expect(throws: Problem.self) { try fixture.open() }
        #expect(problem?.detail.contains("move the log away") == true)
        withExtendedLifetime(store) {}
        unsafe unlink("\(fixture.path)-wal")
        #expect(try fixture.open().newest(9).isEmpty)
    }

    @Test("what a death leaves of the making of a store is no store and in nobody's way")
    func halfMade() throws {
        try fixture.write(Array("half".utf8), to: "\(fixture.path).new")
        try fixture.write(Array("half".utf8), to: "\(fixture.path).new-journal")
        try fixture.open().apply(StoreChange(jobs: [Samples.job("job-1")]), .machine)
        #expect(try fixture.open().newest(9).count == 1)
        #expect(try BoundedFile.names(in: fixture.directory).allSatisfy { !$0.contains(".new") })
    }

    @Test("a refused store keeps its log and every byte of its own")
    func refusedUnchanged() throws {
        let store = try fill()
        try store.checkpoint()
        let entry = JournalEntry(at: Samples.time, phase: nil, line: .commit)
        try store.apply(StoreChange(journal: [.init(job: id("job-1"), entry: entry)]), .machine)
        let copy = try fixture.copyAfterCrash()
        var bytes = try copy.bytes(of: copy.path)
        // The second page: the root of a table.
        for index in 4096..<4112 { bytes[index] ^= 0xFF }
        try copy.write(bytes, to: copy.path)
        let log = try copy.bytes(of: "\(copy.path)-wal")
        #expect(!log.isEmpty)
        #expect(throws: Problem.self) { try copy.open() }
        #expect(try copy.bytes(of: copy.path) == bytes)
        #expect(try copy.bytes(of: "\(copy.path)-wal") == log)
    }

    @Test("a log damaged before its end is told of, and its jobs' journals end in doubt")
    func damagedLog() throws {
        let store = try fixture.open()
        try store.apply(StoreChange(jobs: [Samples.job("job-1", state: .running)]), .machine)
        let before = try fixture.bytes(of: "\(fixture.path)-wal").count
        let entry = JournalEntry(at: Samples.time, phase: nil, line: .commit)
        for line in [JournalEntry(at: Samples.time, phase: nil, line: .accepted), entry] {
            try store.apply(StoreChange(journal: [.init(job: id("job-1"), entry: line)]), .machine)
        }
        let copy = try fixture.copyAfterCrash()
        var log = try copy.bytes(of: "\(copy.path)-wal")
        log[before + 100] ^= 0xFF
        try copy.write(log, to: "\(copy.path)-wal")
        let reopened = try copy.open()
        #expect(copy.damage.all.map(\.record).contains { $0.contains("write-ahead log") })
        let lines = try reopened.journal(of: id("job-1"), after: 0, limit: 9)
        #expect(lines.map(\.sequence) == [1])
        #expect(lines.map(\.entry.line.isUnreadable) == [true])
        #expect(try reopened.journal(of: id("job-1"), after: 1, limit: 9).isEmpty)
        try reopened.apply(StoreChange(jobs: [Samples.job("job-1", state: .succeeded)]), .machine)
        #expect(try reopened.journal(of: id("job-1"), after: 0, limit: 9).isEmpty)
    }

    @Test("a log whose header is damaged is told of")
    func damagedLogHeader() throws {
        let store = try fill()
        let copy = try fixture.copyAfterCrash()
        withExtendedLifetime(store) {}
        var log = try copy.bytes(of: "\(copy.path)-wal")
        log[16] ^= 0xFF
        try copy.write(log, to: "\(copy.path)-wal")
        _ = try copy.open()
        #expect(copy.damage.all.map(\.reason).contains { $0.contains("header is damaged") })
    }

    @Test("a store of a newer ferryd is refused")
    func newer() throws {
        _ = try fill()
        try fixture.tamper("INSERT INTO grdb_migrations (identifier) VALUES ('999')")
        let problem = #expect(throws: Problem.self) { try fixture.open() }
        #expect(problem?.code == .storeFailed)
        #expect(problem?.detail.contains("newer ferryd") == true)
    }

    @Test("a directory that is not there is named with its errno")
    func missingDirectory() throws {
        let problem = #expect(throws: Problem.self) {
            try SQLiteJobStore(path: "\(fixture.directory)/none/ferry.sqlite")
        }
        #expect(problem?.code == .storeFailed)
        #expect(problem?.facts.errno == .noEntry)
    }

    @Test("a change that the disk refuses throws and leaves nothing behind")
    func failingDisk() async throws {
        let path = fixture.path
        await #expect(processExitsWith: .success) { [path = path as String] in
            signal(SIGXFSZ, SIG_IGN)
            let store = try SQLiteJobStore(path: path)
            try store.apply(StoreChange(jobs: [try Samples.job("job-1")]), .machine)
            let size = try BoundedFile.bytes(at: "\(path)-wal", limit: 1 << 26).count
            var limit = rlimit(rlim_cur: UInt(size + 5000), rlim_max: rlim_t.max)
            try unsafe #require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            var job = try Samples.job("job-2")
            job.warnings = [String(repeating: "x", count: 50_000)]
            let problem = #expect(throws: Problem.self) {
                try store.apply(StoreChange(jobs: [job]), .machine)
            }
            #expect(problem?.code == .storeFailed)
            #expect(problem?.facts.errno == .io)
            #expect(try store.newest(9).map(\.id.text) == ["job-1"])
            limit.rlim_cur = rlim_t.max
            try unsafe #require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            try store.apply(StoreChange(jobs: [job]), .machine)
        }
        #expect(try fixture.open().newest(9).count == 2)
    }

    @Test(
        "each way SQLite fails has an errno and a way out",
        arguments: [
            (ResultCode.SQLITE_FULL, Errno.noSpace, "free space"),
            (.SQLITE_IOERR_FSYNC, .io, "kernel's log"),
            (.SQLITE_READONLY_DIRECTORY, .readOnly, "owner and mode"),
            (.SQLITE_BUSY, .busy, "close it"),
            (.SQLITE_NOMEM, .noMemory, "no memory"),
            (.SQLITE_CORRUPT_VTAB, nil, "put a copy back"),
            (.SQLITE_NOTADB, nil, "put a copy back"),
            (.SQLITE_CANTOPEN, nil, "directory"),
        ] as [(ResultCode, Errno?, String)]
    )
    func explanations(code: ResultCode, errno: Errno?, advice: String) {
        let problem = StoreProblem.make(
            DatabaseError(resultCode: code, message: "told by SQLite"),
            during: "write",
            of: "/var/lib/ferry/ferry.sqlite"
        )
        #expect(problem.code == .storeFailed)
        #expect(problem.facts.errno == errno)
        #expect(problem.facts.operation == "write")
        #expect(problem.detail.contains(advice))
        #expect(problem.detail.contains("/var/lib/ferry/ferry.sqlite"))
        #expect(problem.facts.reasons?.first?.contains("told by SQLite") == true)
    }
}

extension JournalEntry.Line {
    fileprivate var isUnreadable: Bool {
        if case .unreadable = self { true } else { false }
    }
}
