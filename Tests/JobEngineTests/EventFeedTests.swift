import Dispatch
import MigrationCore
import MigrationPorts
import Testing

@testable import JobEngine

@Suite(
    "Events are told in order, without loss, and not before they can be seen",
    .timeLimit(.minutes(10))
)
struct EventFeedTests {
    private func numbers(_ range: ClosedRange<Int>) -> [String] { range.map { "\($0)" } }

    @Test("whoever follows from now on gets every event of many writers, once and in order")
    func order() async throws {
        let fixture = try FeedFixture { $0.eventRingCount = 64 }
        let feed = fixture.feed
        try fixture.commit(3)
        let subscriptions = try (0..<5).map { _ in try feed.subscribe(from: .now) }
        for one in subscriptions { #expect(try await one.read().words == "ready 3") }
        try await withThrowingTaskGroup { group in
            for _ in 0..<8 {
                group.addTask { for _ in 0..<100 { try FeedFixture.commit(to: feed) } }
            }
            for one in subscriptions {
                let expected = numbers(4...803)
                group.addTask {
                    let told = try await one.told(800)
                    #expect(told == expected)
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("an event is told when the commit's work is over, and those behind it too")
    func notBefore() async throws {
        let fixture = try FeedFixture()
        let (feed, event) = (fixture.feed, try FeedFixture.event())
        let subscription = try feed.subscribe(from: .now)
        #expect(try await subscription.read().words == "ready 0")
        try feed.telling { () throws(Problem) in
            try fixture.store.apply(StoreChange(events: [event]), .process)
            // Somebody else's, whose end makes the reader read both.
            try feed.telling { () throws(Problem) in
                try fixture.store.apply(StoreChange(events: [event]), .process)
            }
            feed.readerQueue.sync {}
            #expect(fixture.encoded.value == 2)
            #expect(subscription.next(whenReady: nil).words == "later")
        }
        #expect(try await subscription.told(2) == ["1", "2"])
    }

    @Test("a commit that begins after the events were read holds none of them up")
    func laterCommit() async throws {
        let fixture = try FeedFixture()
        let (feed, event) = (fixture.feed, try FeedFixture.event())
        let subscription = try feed.subscribe(from: .now)
        #expect(try await subscription.read().words == "ready 0")
        try fixture.commit()
        feed.readerQueue.sync {}
        try feed.telling { () throws(Problem) in
            #expect(subscription.next(whenReady: nil).words == "1")
            try fixture.store.apply(StoreChange(events: [event]), .process)
            #expect(subscription.next(whenReady: nil).words == "later")
        }
        #expect(try await subscription.read().words == "2")
    }

    @Test("what the store refused is not told")
    func refused() async throws {
        let fixture = try FeedFixture()
        let subscription = try fixture.feed.subscribe(from: .now)
        #expect(try await subscription.read().words == "ready 0")
        fixture.store.tape.start()
        fixture.store.plan(.at(1))
        #expect(throws: Problem.self) { try fixture.commit() }
        try fixture.commit()
        #expect(try await subscription.read().words == "1")
        #expect(try fixture.store.events(after: 0, limit: 9).map(\.sequence) == [1])
    }

    @Test("an event is encoded once for all, and nothing is read while nobody listens")
    func once() async throws {
        let fixture = try FeedFixture()
        try fixture.commit(10)
        #expect(fixture.store.eventReadCount == 0)
        let subscriptions = try (0..<100).map { _ in try fixture.feed.subscribe(from: .after(0)) }
        for one in subscriptions {
            #expect(try await one.told(11) == numbers(1...10) + ["ready 10"])
        }
        try fixture.commit(10)
        for one in subscriptions { #expect(try await one.told(10) == numbers(11...20)) }
        #expect(fixture.encoded.value == 20)
        for one in subscriptions { one.end() }
        fixture.feed.readerQueue.sync {}
        let reads = fixture.store.eventReadCount
        try fixture.commit(10)
        fixture.feed.readerQueue.sync {}
        #expect(fixture.store.eventReadCount == reads)
        let late = try fixture.feed.subscribe(from: .now)
        #expect(try await late.read().words == "ready 30")
    }

    @Test(
        "a client that comes back is told what it missed and then that this was all",
        arguments: [1, 7, 64]
    )
    func replay(page: Int) async throws {
        let fixture = try FeedFixture {
            $0.eventRingCount = 4
            $0.eventPageCount = page
        }
        try fixture.commit(50)
        for cursor in [0, 1, 20, 45, 46, 49, 50] {
            let subscription = try fixture.feed.subscribe(from: .after(Int64(cursor)))
            let missed = cursor < 50 ? numbers((cursor + 1)...50) : []
            #expect(try await subscription.told(missed.count + 1) == missed + ["ready 50"])
        }
        let subscription = try fixture.feed.subscribe(from: .after(48))
        #expect(try await subscription.told(3) == ["49", "50", "ready 50"])
        try fixture.commit()
        #expect(try await subscription.read().words == "51")
    }

    @Test("a reader so slow that the ring went on without it loses nothing")
    func slow() async throws {
        let fixture = try FeedFixture {
            $0.eventRingCount = 4
            $0.eventPageCount = 3
        }
        let subscription = try fixture.feed.subscribe(from: .now)
        #expect(try await subscription.read().words == "ready 0")
        let quick = try fixture.feed.subscribe(from: .now)
        #expect(try await quick.read().words == "ready 0")
        for number in 1...50 {
            try fixture.commit()
            #expect(try await quick.read().words == "\(number)")
        }
        #expect(try await subscription.told(50) == numbers(1...50))
        try fixture.commit()
        #expect(try await subscription.read().words == "51")
    }

    @Test("a place that cannot be gone on from is a gap, and what is kept can be had behind it")
    func gaps() async throws {
        let fixture = try FeedFixture(kept: 10) { $0.eventRingCount = 4 }
        try fixture.commit(50)
        try fixture.store.checkpoint()
        let gap = ["gap 50 oldest 40", "ready 50"]
        for cursor in [EventCursor.unknown, .after(0), .after(39), .after(51), .after(.max)] {
            let subscription = try fixture.feed.subscribe(from: cursor)
            #expect(try await subscription.told(2) == gap, "\(cursor)")
        }
        let all = try fixture.feed.subscribe(from: .after(40))
        #expect(try await all.told(11) == numbers(41...50) + ["ready 50"])
        try fixture.commit()
        #expect(try await all.read().words == "51")
    }

    @Test("a reader whose next event was forgotten is told of the gap")
    func forgotten() async throws {
        let fixture = try FeedFixture(kept: 2) {
            $0.eventRingCount = 4
            $0.eventPageCount = 3
        }
        try fixture.commit(20)
        let subscription = try fixture.feed.subscribe(from: .after(0))
        #expect(try await subscription.told(2) == ["1", "2"])
        try fixture.store.checkpoint()
        // The page it has is still told.
        #expect(try await subscription.told(3) == ["3", "gap 20 oldest 18", "ready 20"])
        try fixture.commit()
        #expect(try await subscription.read().words == "21")
    }

    @Test("a store that has forgotten everything begins behind it")
    func nothingKept() async throws {
        let fixture = try FeedFixture(kept: 0)
        try fixture.commit(5)
        try fixture.store.checkpoint()
        let subscription = try fixture.feed.subscribe(from: .after(4))
        #expect(try await subscription.told(2) == ["gap 5 oldest 5", "ready 5"])
        try fixture.commit()
        #expect(try await subscription.read().words == "6")
    }
}

@Suite("Who follows events, and for how long", .timeLimit(.minutes(10)))
struct EventSubscriptionTests {
    @Test("signs of life come while nothing happens, with the place that was reached")
    func heartbeat() async throws {
        let fixture = try FeedFixture { $0.eventHeartbeatMilliseconds = 10 }
        try fixture.commit(3)
        let subscription = try fixture.feed.subscribe(from: .after(3))
        var told = try await subscription.told(1)
        // A beat may come before the feed has looked.
        while told.last != "ready 3" { told += try await subscription.told(1) }
        #expect(try await subscription.told(3) == Array(repeating: "heartbeat 3", count: 3))
    }

    @Test("a beat finds events that no commit has told")
    func untold() async throws {
        let fixture = try FeedFixture { $0.eventHeartbeatMilliseconds = 10 }
        let subscription = try fixture.feed.subscribe(from: .now)
        while try await subscription.read().words != "ready 0" {}
        try fixture.store.apply(StoreChange(events: [FeedFixture.event()]), .process)
        while try await subscription.read().words != "1" {}
    }

    @Test("too many are refused, and one that has ended or was let go makes room")
    func limit() throws {
        let fixture = try FeedFixture { $0.eventSubscriberLimit = 2 }
        let one = try fixture.feed.subscribe(from: .now)
        var other: EventSubscription? = try fixture.feed.subscribe(from: .now)
        let problem = #expect(throws: Problem.self) { try fixture.feed.subscribe(from: .now) }
        #expect(problem?.code == .overloaded)
        #expect(problem?.facts.retryAfterSeconds != nil)
        one.end()
        #expect(one.next(whenReady: nil).words == "end")
        let third = try fixture.feed.subscribe(from: .now)
        #expect(throws: Problem.self) { try fixture.feed.subscribe(from: .now) }
        #expect(other != nil)
        other = nil
        try fixture.feed.subscribe(from: .now).end()
        third.end()
    }

    @Test("a feed that closes tells what was committed, ends everybody and lets nobody in")
    func close() async throws {
        let fixture = try FeedFixture()
        let feed = fixture.feed
        let reading = try feed.subscribe(from: .now)
        #expect(try await reading.read().words == "ready 0")
        let waiting = try feed.subscribe(from: .now)
        #expect(try await waiting.read().words == "ready 0")
        async let ending = waiting.told(3)
        try fixture.commit(2)
        feed.close()
        #expect(try await reading.told(3) == ["1", "2", "end"])
        #expect(try await ending == ["1", "2", "end"])
        let problem = #expect(throws: Problem.self) { try feed.subscribe(from: .now) }
        #expect(problem?.code == .shuttingDown)
        // A commit finds nobody, and goes through.
        try fixture.commit()
        feed.close()
    }

    @Test("a store that cannot be read cuts everybody off, and lets them in when it can again")
    func unreadable() async throws {
        let fixture = try FeedFixture { $0.eventRingCount = 2 }
        let subscription = try fixture.feed.subscribe(from: .now)
        #expect(try await subscription.read().words == "ready 0")
        fixture.store.refuseEventReads(true)
        try fixture.commit(5)
        #expect(try await subscription.read().words == "failed")
        #expect(try await fixture.feed.subscribe(from: .after(0)).read().words == "failed")
        fixture.store.refuseEventReads(false)
        let again = try fixture.feed.subscribe(from: .after(0))
        #expect(try await again.told(6) == (1...5).map { "\($0)" } + ["ready 5"])
    }
}
