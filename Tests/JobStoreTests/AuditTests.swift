import GRDB
import JobStore
import MigrationCore
import MigrationPorts
import Testing

@Suite("The audit in the store")
struct AuditTests {
    private let fixture: StoreFixture
    private let store: SQLiteJobStore
    private let day: Int64 = 86_400

    init() throws {
        fixture = try StoreFixture()
        store = try fixture.open()
    }

    private func record(
        _ name: String,
        _ action: AuditRecord.Action = .change(.removal),
        _ state: AuditRecord.State? = nil
    ) throws -> AuditRecord {
        var record = AuditRecord(
            id: try id(name),
            action: action,
            subject: try id("pci-0000:41:00.3"),
            requester: Requester(name: "uid:0", requestID: "r-\(name)"),
            startedAt: Samples.time,
            boot: "boot"
        )
        record.before = DevicePlace(driver: "nvme", driverOverride: "vfio-pci")
        record.before?.functionCount = 2
        record.before?.isProbed = false
        if let state { record.end(state, at: Samples.time) }
        return record
    }

    private func write(_ records: [AuditRecord], to store: SQLiteJobStore) throws {
        var change = StoreChange()
        change.audit = records
        try store.apply(change, .machine)
    }

    private func all(
        from place: AuditPlace? = nil,
        newestFirst: Bool = true,
        limit: Int = 1000
    ) throws -> [AuditRecord?] {
        try store.audit(from: place, newestFirst: newestFirst, limit: limit).map(\.record)
    }

    @Test("a record of every action and state comes back as it was, and the outcome in its place")
    func roundTrip() throws {
        let problem = try Samples.fullProblem(.kernelRefused)
        let actions: [AuditRecord.Action] = [
            .change(.bind(driver: "vfio-pci", isForced: true)),
            .change(.bind(driver: nil, isForced: false)),
            .change(.unbind(driver: nil, isForced: false)),
            .change(.virtualFunctions(count: 4, isProbed: nil, isForced: true)),
            .change(.removal),
            .create(MediatedRequest(parent: "mtty", type: "mtty-2")),
        ]
        let states: [AuditRecord.State] = [
            .succeeded, .refused(problem), .failed(problem), .interrupted(problem),
        ]
        var records = try actions.enumerated().map { try record("a-\($0)", $1) }
        try write(records, to: store)
        #expect(try all() == records.reversed())
        #expect(try store.unfinishedAudit() == records)
        for (index, state) in states.enumerated() {
            records[index].after = records[index].before
            records[index].end(state, at: Samples.time)
        }
        try write(Array(records.prefix(states.count)), to: store)
        #expect(try all() == records.reversed())
        #expect(try store.unfinishedAudit() == Array(records.suffix(2)))
        for record in records { #expect(try store.auditRecord(record.id) == record) }
        #expect(try store.auditRecord(id("none")) == nil)
        #expect(records.map(\.isUndone) == [nil, nil, true, true, nil, nil])
        #expect(fixture.damage.all == [])
    }

    @Test("it is walked both ways, from any place")
    func order() throws {
        let records = try (0..<5).map { try record("a-\($0)", .change(.removal), .succeeded) }
        try write(records, to: store)
        let newest = try store.audit(from: nil, newestFirst: true, limit: 2)
        #expect(newest.map(\.record) == [records[4], records[3]])
        #expect(try all(from: newest[1].place) == [records[2], records[1], records[0]])
        #expect(try all(from: newest[1].place, newestFirst: false) == [records[4]])
        #expect(try all(newestFirst: false, limit: 1) == [records[0]])
    }

    @Test("a damaged record keeps its place, is told of, and takes no other one with it")
    func damaged() throws {
        try write(try (0..<3).map { try record("a-\($0)") }, to: store)
        let copy = try fixture.copyAfterCrash()
        try copy.tamper("UPDATE audit SET body = '{' WHERE id = 'a-1'")
        let tampered = try copy.open()
        let told = try tampered.audit(from: nil, newestFirst: true, limit: 10)
        #expect(told.map { $0.record?.id.text } == ["a-2", nil, "a-0"])
        #expect(try tampered.unfinishedAudit().map(\.id.text) == ["a-0", "a-2"])
        #expect(!copy.damage.all.isEmpty)
        let problem = #expect(throws: Problem.self) { _ = try tampered.auditRecord(id("a-1")) }
        #expect(problem?.code == .storeFailed)
    }

    @Test("records with an outcome go by number and age, those without one stay")
    func forgetting() throws {
        let open = try record("open")
        let ended = try (0..<10).map { try record("a-\($0)", .change(.removal), .succeeded) }
        try write([open] + ended, to: store)
        try forget(limit: 4, day: 0)
        #expect(try all(newestFirst: false) == [open] + ended.suffix(4))
        try forget(limit: 4, day: 29)
        #expect(try all().count == 5)
        try forget(limit: 4, day: 30)
        #expect(try all() == [open])
    }

    private func forget(limit: Int, day number: Int64) throws {
        let retention = Retention(
            seconds: 1000 * day,
            jobLimit: 1,
            sessionLimit: 1,
            auditSeconds: 30 * day,
            auditLimit: limit,
            answerSeconds: day,
            batchLimit: 3
        )
        for _ in 0..<20 {
            let forgotten = try store.forget(retention, at: StoreAge(seconds: number * day))
            if !forgotten.isMoreLeft { return }
        }
        Issue.record("There is always more to forget.")
    }

    @Test("a store of the ferryd before gets an empty audit, and keeps what it has")
    func takenOver() throws {
        try store.apply(StoreChange(jobs: [try Samples.job("job-1")]), .process)
        let earlier = try fixture.copyAfterCrash()
        try earlier.tamper(
            "DROP TABLE audit; DELETE FROM grdb_migrations WHERE identifier = '4'"
        )
        let taken = try earlier.open()
        #expect(try taken.newest(10).map(\.id.text) == ["job-1"])
        #expect(try taken.audit(from: nil, newestFirst: true, limit: 10) == [])
        let record = try record("a-1")
        try write([record], to: taken)
        #expect(try taken.unfinishedAudit() == [record])
    }
}
