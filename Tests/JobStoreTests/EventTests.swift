import JobStore
import MigrationCore
import MigrationPorts
import SystemIO
import Testing

@Suite("Which events the store keeps, and by which numbers")
struct EventTests {
    private let fixture: StoreFixture

    init() throws { fixture = try StoreFixture() }

    /// The time a test says it is.
    private struct FixedClock: HostClock {
        var day: Int64 = 0

        func monotonicNanoseconds() -> UInt64 { 0 }
        func timestamp() -> Timestamp { time(ofDay: day) }
    }

    private func store(
        kept: Int = 100_000,
        days: Int = 30,
        today: Int64 = 0,
        boot: String = "boot-1"
    ) throws -> SQLiteJobStore {
        var retention = EventRetention()
        retention.count = kept
        retention.days = days
        return try SQLiteJobStore(
            path: fixture.path,
            retention: retention,
            clock: FixedClock(day: today),
            boot: boot
        )
    }

    private func add(_ days: Int64..., to store: SQLiteJobStore) throws {
        let image: ImageID = try id("image-1")
        for day in days {
            let event = Event(at: time(ofDay: day), topic: .imageChanged(image, exists: true))
            try store.apply(StoreChange(events: [event]), .process)
        }
    }

    private func numbers(_ store: SQLiteJobStore) throws -> [Int64] {
        try store.events(after: 0, limit: 100).map(\.sequence)
    }

    @Test("a number is not used again after the oldest were forgotten")
    func eventNumbers() throws {
        let store = try store(kept: 3)
        try store.checkpoint()
        #expect(try store.eventSpan() == EventSpan(forgotten: 0, newest: 0))
        try add(0, 0, 0, 0, 0, to: store)
        #expect(try numbers(store) == [1, 2, 3, 4, 5])
        #expect(try store.eventSpan() == EventSpan(forgotten: 0, newest: 5))
        try store.checkpoint()
        #expect(try numbers(store) == [3, 4, 5])
        #expect(try store.eventSpan() == EventSpan(forgotten: 2, newest: 5))
        let forgetful = try self.store(kept: 0)
        try forgetful.checkpoint()
        #expect(try store.eventSpan() == EventSpan(forgotten: 5, newest: 5))
        try add(0, to: store)
        #expect(try numbers(store) == [6])
    }

    @Test("events older than the days they are kept go, the oldest first and none out of order")
    func age() throws {
        let store = try store(days: 30, today: 40)
        // The clock was wrong for the fourth: what stands behind a young one stays.
        try add(1, 9, 10, 2, 40, to: store)
        try store.checkpoint()
        #expect(try numbers(store) == [3, 4, 5])
        let later = try self.store(days: 30, today: 71)
        try later.checkpoint()
        #expect(try numbers(later) == [])
        #expect(try later.eventSpan() == EventSpan(forgotten: 5, newest: 5))
    }

    @Test("a daemon that starts again goes on with the numbers and keeps the events")
    func sameBoot() throws {
        try add(0, 0, to: try store())
        let again = try store()
        try add(0, to: again)
        #expect(try numbers(again) == [1, 2, 3])
    }

    @Test("a boot is on the disk before its first number is told, even when that was its only one")
    func lostBoot() throws {
        let first = try store()
        #expect(try first.synchronousSetting() == 2)
        #expect(try store().synchronousSetting() == 1)
        // Of the first boot nothing was left but itself.
        let second = try store(boot: "boot-2")
        #expect(try second.eventSpan() == EventSpan(forgotten: 1 << 20, newest: 1 << 20))
        try add(0, to: second)
        #expect(try numbers(second) == [1 + 1 << 20])
    }

    @Test("a log that was damaged may have held numbers: they are not given again")
    func damagedLog() throws {
        let first = try store()
        let before = try fixture.bytes(of: "\(fixture.path)-wal").count
        try add(0, 0, to: first)
        let copy = try fixture.copyAfterCrash()
        var log = try copy.bytes(of: "\(copy.path)-wal")
        log[before + 100] ^= 0xFF
        try copy.write(log, to: "\(copy.path)-wal")
        let reopened = try SQLiteJobStore(path: copy.path, boot: "boot-1")
        try add(0, to: reopened)
        #expect(try numbers(reopened) == [1 + 1 << 20])
    }

    @Test("with a new boot the numbers go on far behind any that was ever told")
    func newBoot() throws {
        let first = try store()
        try add(0, 0, to: first)
        let second = try store(boot: "boot-2")
        #expect(second.storeID == first.storeID)
        #expect(try numbers(second) == [])
        let span = try second.eventSpan()
        #expect(span.newest == 2 + 1 << 20)
        #expect(span.forgotten == span.newest)
        try add(0, to: second)
        #expect(try numbers(second) == [span.newest + 1])
    }
}

private func time(ofDay day: Int64) -> Timestamp {
    Timestamp(millisecondsSinceEpoch: 1_700_000_000_000 + day * 86_400_000)
}
