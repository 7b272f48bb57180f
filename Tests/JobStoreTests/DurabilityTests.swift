import Glibc
import JobStore
import MigrationCore
import MigrationPorts
import SystemIO
import Testing

@Suite("Durability of the store")
struct DurabilityTests {
    private let fixture: StoreFixture

    init() throws { fixture = try StoreFixture() }

    private func event() throws -> Event {
        Event(at: Samples.time, topic: .imageChanged(try id("image-1"), exists: true))
    }

    @Test("each change is written with the setting its durability needs")
    func synchronousSetting() throws {
        let store = try fixture.open()
        try store.apply(StoreChange(jobs: [Samples.job("job-1")]), .machine)
        #expect(try store.synchronousSetting() == 2)
        try store.apply(StoreChange(jobs: [Samples.job("job-2")]), .process)
        #expect(try store.synchronousSetting() == 1)
        try store.apply(StoreChange(jobs: [Samples.job("job-3")]), .machine)
        #expect(try store.synchronousSetting() == 2)
    }

    @Test("what was applied is there for whoever opens the files after a death of the process")
    func crash() throws {
        let store = try fixture.open()
        let job = try Samples.job("job-1", state: .running)
        try store.apply(StoreChange(jobs: [job], events: [event()]), .process)
        let after = try fixture.copyAfterCrash()
        let reopened = try after.open()
        #expect(try reopened.unfinishedJobs() == [job])
        #expect(reopened.storeID == store.storeID)
        #expect(try reopened.events(after: 0, limit: 10).map(\.sequence) == [1])
    }

    @Test("a log cut anywhere holds whole changes only")
    func tornLog() throws {
        let store = try fixture.open()
        try store.apply(StoreChange(jobs: [Samples.job("job-1")]), .machine)
        let before = try fixture.bytes(of: "\(fixture.path)-wal").count
        let entry = JournalEntry(at: Samples.time, phase: nil, line: .commit)
        try store.apply(
            StoreChange(
                jobs: [Samples.job("job-2"), Samples.job("job-3")],
                journal: [StoreChange.JournalLine(job: try id("job-2"), entry: entry)],
                events: [event()]
            ),
            .machine
        )
        let after = try fixture.bytes(of: "\(fixture.path)-wal").count
        #expect(after > before + 4096)
        var cuts = Array(stride(from: before, to: after, by: 1021))
        cuts += [after - 1, after]
        for cut in cuts {
            let copy = try fixture.copyAfterCrash(logByteCount: cut)
            let reopened = try copy.open()
            #expect(try reopened.job(id("job-1")) != nil)
            let isWhole = cut == after
            #expect(try (reopened.job(id("job-2")) != nil) == isWhole, "cut at \(cut)")
            #expect(try (reopened.job(id("job-3")) != nil) == isWhole)
            #expect(try reopened.journal(of: id("job-2"), after: 0, limit: 9).isEmpty == !isWhole)
            #expect(try reopened.events(after: 0, limit: 9).isEmpty == !isWhole)
        }
    }

    @Test("the log grows without a checkpoint until one is asked for")
    func checkpoint() throws {
        let store = try fixture.open()
        let empty = try fixture.bytes(of: fixture.path).count
        var job = try Samples.job("job-1")
        // Past the 1,000 pages at which SQLite would checkpoint by itself.
        for number in 0..<300 {
            job.warnings = [String(repeating: "\(number % 10)", count: 20_000)]
            try store.apply(StoreChange(jobs: [job]), .process)
        }
        #expect(try fixture.bytes(of: "\(fixture.path)-wal").count > 1000 * 4096)
        #expect(try fixture.bytes(of: fixture.path).count == empty)
        try store.checkpoint()
        #expect(try fixture.bytes(of: fixture.path).count > empty)
        #expect(try store.job(job.id) == job)
    }

    @Test("a number of an event is not used again after the oldest were forgotten")
    func eventNumbers() throws {
        let store = try SQLiteJobStore(path: fixture.path, eventLimit: 3)
        try store.checkpoint()
        try store.apply(StoreChange(events: Array(repeating: event(), count: 5)), .process)
        #expect(try store.events(after: 0, limit: 9).map(\.sequence) == [1, 2, 3, 4, 5])
        try store.checkpoint()
        #expect(try store.events(after: 0, limit: 9).map(\.sequence) == [3, 4, 5])
        let forgetful = try SQLiteJobStore(path: fixture.path, eventLimit: 0)
        try forgetful.checkpoint()
        try store.apply(StoreChange(events: [event()]), .process)
        #expect(try store.events(after: 0, limit: 9).map(\.sequence) == [6])
    }

    @Test("a process killed in the middle of its work leaves every change it was told of")
    func killed() async throws {
        let path = fixture.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let store = try SQLiteJobStore(path: path)
            for number in 0..<10 {
                try store.apply(StoreChange(jobs: [try Samples.job("job-\(number)")]), .process)
            }
            kill(getpid(), SIGKILL)
        }
        let store = try fixture.open()
        #expect(try store.newest(100).count == 10)
    }

    @Test("only the owner can read the files")
    func modes() throws {
        let store = try fixture.open()
        try store.apply(StoreChange(jobs: [Samples.job("job-1")]), .process)
        for name in try BoundedFile.names(in: fixture.directory) {
            var status = stat()
            unsafe lstat("\(fixture.directory)/\(name)", &status)
            #expect(status.st_mode & 0o777 == 0o600, "\(name)")
        }
    }
}
