import Dispatch
import MigrationCore
import MigrationPorts
import Synchronization
import Testing

@testable import JobEngine

@Suite("Waits for the change of a job")
struct ChangeFeedTests {
    private let id = JobID("job")

    @Test("a wait behind a change that was is over at once, and so is one for nothing")
    func immediate() throws {
        let feed = ChangeFeed()
        let id = try #require(id)
        let count = DoneCount()
        feed.wait(for: id, after: 4, seconds: 3600, at: 5) { _ = count.add() }
        feed.wait(for: id, after: 5, seconds: 3600, at: nil) { _ = count.add() }
        feed.wait(for: id, after: 5, seconds: 0, at: 5) { _ = count.add() }
        feed.wait(for: id, after: 5, seconds: -1, at: 5) { _ = count.add() }
        #expect(count.value == 4)
    }

    @Test("a change wakes those who wait for it, once, and no others")
    func wakes() throws {
        let feed = ChangeFeed()
        let id = try #require(id)
        let other = try #require(JobID("other"))
        let (early, late, foreign) = (DoneCount(), DoneCount(), DoneCount())
        feed.wait(for: id, after: 5, seconds: 3600, at: 5) { _ = early.add() }
        feed.wait(for: id, after: 6, seconds: 3600, at: 5) { _ = late.add() }
        feed.wait(for: other, after: 5, seconds: 3600, at: 5) { _ = foreign.add() }
        feed.didChange(id, generation: 5)
        #expect([early.value, late.value, foreign.value] == [0, 0, 0])
        feed.didChange(id, generation: 6)
        feed.didChange(id, generation: 6)
        #expect([early.value, late.value, foreign.value] == [1, 0, 0])
        feed.close()
        feed.didChange(id, generation: 9)
        #expect([early.value, late.value, foreign.value] == [1, 1, 1])
        feed.wait(for: id, after: 9, seconds: 3600, at: 9) { _ = early.add() }
        #expect(early.value == 2)
    }

    @Test("a change that falls between the question and the wait is not missed")
    func noGap() throws {
        let feed = ChangeFeed()
        let id = try #require(id)
        let count = DoneCount()
        feed.wait(
            for: id,
            after: 5,
            seconds: 3600,
            current: {
                feed.didChange(id, generation: 6)
                return 5
            },
            reply: { _ = count.add() }
        )
        #expect(count.value == 1)
    }

    @Test("a wait without a change ends with its time")
    func timeout() async throws {
        let feed = ChangeFeed()
        let id = try #require(id)
        try await awaitCall("the end of its time") { told in
            feed.wait(for: id, after: 5, seconds: 1, at: 5) { told() }
        }
        feed.didChange(id, generation: 6)
        feed.close()
    }

    @Test("what waited is let go with its answer, whatever time it had left")
    func letsGo() throws {
        let feed = ChangeFeed()
        let id = try #require(id)
        weak var token: DoneCount?
        do {
            let count = DoneCount()
            token = count
            feed.wait(for: id, after: 5, seconds: 3600, at: 5) { _ = count.add() }
        }
        #expect(token != nil)
        feed.didChange(id, generation: 6)
        #expect(token == nil)
    }

    @Test("every one of many is answered exactly once, among changes, ends of time and a close")
    func race() async throws {
        let feed = ChangeFeed()
        let id = try #require(id)
        let generation = Generation()
        let answers = (0..<400).map { _ in DoneCount() }
        await withTaskGroup(of: Void.self) { group in
            for (number, answer) in answers.enumerated() {
                group.addTask {
                    await withCheckedContinuation { continuation in
                        feed.wait(
                            for: id,
                            after: UInt64(number / 4),
                            seconds: number % 7 == 0 ? 1 : 3600,
                            current: { generation.value.load(ordering: .acquiring) },
                            // A second resume would end the test.
                            reply: { if answer.add() == 1 { continuation.resume() } }
                        )
                    }
                }
            }
            group.addTask {
                for next in UInt64(1)...80 {
                    generation.value.store(next, ordering: .releasing)
                    feed.didChange(id, generation: next)
                    await Task.yield()
                }
                feed.close()
            }
        }
        #expect(answers.allSatisfy { $0.value == 1 })
    }

    @Test("a generation is one durable change, told when the store has it")
    func durable() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let store = fixture.store
        fixture.tape.start()
        let job = try fixture.engine.submit(try fixture.migration(), requestedBy: "test").job
        var seen = job.generation
        try await fixture.engine.view(of: job.id) { view in
            #expect(view.job.generation >= seen)
            // What a restart would make of it: the row, and the steps in the journal behind it.
            let stored = try #require(try store.job(job.id)?.generation)
            let lines = try store.journal(of: job.id, after: 0, limit: 1000).count
            #expect(stored + UInt64(lines) >= view.job.generation)
            seen = view.job.generation
            return view.job.state.isTerminal
        }
        let events = fixture.tape.entries.flatMap { entry -> [UInt64] in
            guard case .wrote(let change, _) = entry else { return [] }
            return change.events.compactMap { event in
                guard case .jobChanged(_, let generation, _, _) = event.topic else { return nil }
                return generation
            }
        }
        #expect(events == Array(1...UInt64(events.count)).map { $0 + (events.first ?? 0) - 1 })
        let written = fixture.tape.entries.flatMap { entry -> [UInt64] in
            guard case .wrote(let change, _) = entry else { return [] }
            return change.jobs.map(\.generation)
        }
        #expect(Set(written).isSubset(of: events))
        #expect(written.last == events.last)
    }
}

/// A generation that several tasks look at.
private final class Generation: Sendable {
    let value = Atomic<UInt64>(0)
}

extension ChangeFeed {
    /// Waits for a job that is at some generation, or in no memory.
    fileprivate func wait(
        for job: JobID,
        after generation: UInt64,
        seconds: Int,
        at current: UInt64?,
        _ reply: @escaping @Sendable () -> Void
    ) {
        wait(for: job, after: generation, seconds: seconds, current: { current }, reply: reply)
    }
}
