import Foundation
import JobEngine
import MigrationCore
import StateTransfer
import Synchronization
import Testing

@Suite("The daemon dies at every line of every journal")
struct RestartTests {
    @Test(
        "every job is settled by what its journal proves, and lost content is called lost",
        arguments: FaultRun.Work.allCases
    )
    func everyLine(_ work: FaultRun.Work) async throws {
        let run = try await FaultRun(work, "mlx5")
        let snapshots = try Snapshots(of: run.fixture)
        let view = try #require(try await run.perform())
        #expect(view.job.state == .succeeded)
        let end = snapshots.count
        #expect(end > 3)
        for number in 1...end {
            let engine = try EngineFixture.engine(
                on: snapshots.path(number),
                "mlx5:\(FaultRun.specification)"
            )
            try checkJob(view.job.id, in: engine, number, isLast: number == end)
            try checkSessions(in: engine, number)
            try checkAgain(view.job.id, snapshots.path(number), engine, number)
        }
        #expect(snapshots.problems == [])
    }

    private func checkJob(
        _ id: JobID,
        in engine: Engine,
        _ number: Int,
        isLast: Bool
    ) throws {
        let job = try engine.job(id).job
        let lines = try engine.journal(of: id, after: 0, limit: 1000).map(\.entry.line)
        let facts = JournalFacts(lines)
        let isSealed = engine.images().contains { $0.job == id }
        let text = "write \(number): \(job.state), \(job.mayRun)"
        #expect(lines.last == .finished(state: job.state.name), "\(text)")
        #expect(job.finishedAt != nil, "\(text)")
        if isLast {
            #expect(job.state == .succeeded, "\(text)")
        } else if job.spec.work.kind == .save, isSealed {
            #expect(job.state == .succeeded && job.mayRun == .nobody, "\(text)")
        } else if !facts.isCommitted {
            #expect(job.state.name == "failed" && job.mayRun == .nobody, "\(text)")
            #expect(job.state.problem?.code == .daemonDied, "\(text)")
        } else if facts.runningTargets.isEmpty {
            #expect(job.state.name == "indeterminate" && job.mayRun == .unknown, "\(text)")
        } else {
            #expect(job.state.problem?.code == .contentLost, "\(text)")
            #expect(job.state.name == "failed" && job.mayRun == .nobody, "\(text)")
        }
        if job.spec.work.kind == .save {
            #expect(isSealed == (job.state == .succeeded), "\(text)")
        }
        guard !isLast else { return }
        for device in job.devices {
            #expect(device.content == .lost || device.content == .empty, "\(text)")
        }
    }

    /// What was open is lost with its content, and nothing holds the devices.
    private func checkSessions(in engine: Engine, _ number: Int) throws {
        for session in engine.recovery.lostSessions {
            #expect(session.status == .lost, "write \(number)")
            #expect(session.content == .lost || session.content == .empty, "write \(number)")
            #expect(session.note?.contains("content_lost") == true, "write \(number)")
        }
        #expect(engine.recovery.sweep.missing == [], "write \(number)")
        for device in engine.devices() {
            #expect(device.lockedBy == nil, "write \(number)")
            #expect(device.session?.content == .live, "write \(number)")
        }
    }

    /// The next start finds nothing left to settle.
    private func checkAgain(
        _ id: JobID,
        _ path: String,
        _ engine: Engine,
        _ number: Int
    ) throws {
        let settled = try engine.job(id).job
        let next = try EngineFixture.engine(on: path, "mlx5:\(FaultRun.specification)")
        #expect(next.recovery.jobs.isEmpty, "write \(number)")
        #expect(try next.job(id).job == settled, "write \(number)")
    }

    @Test("an image whose restore was committed is a copy from then on, whatever died after")
    func committedRestore() async throws {
        let fixture = try EngineFixture("mlx5:\(FaultRun.specification)")
        let source = try fixture.id("sim-0")
        let save = try await fixture.run(JobSpec(work: .save(sources: [source], after: .stop)))
        let image = try #require(save.job.image)
        let snapshots = try Snapshots(of: fixture)
        fixture.tape.start()
        let restore = try await fixture.run(try fixture.restore(image, acceptCopy: false))
        #expect(restore.job.state == .succeeded)
        fixture.tape.stop()
        for number in 1...snapshots.count {
            let engine = try EngineFixture.engine(
                on: snapshots.path(number),
                "mlx5:\(FaultRun.specification)"
            )
            let lines = try engine.journal(of: restore.job.id, after: 0, limit: 1000)
            let isCommitted = JournalFacts(lines.map(\.entry.line)).isCommitted
            #expect(try engine.image(image).sourceResumed == isCommitted, "write \(number)")
        }
    }

    @Test("a job that waits for a worker when the daemon dies has touched nothing")
    func waitingJob() async throws {
        let fixture = try EngineFixture(["mtty:count=4"]) { $0.workerCount = 1 }
        let first = try fixture.engine.submit(try fixture.migration(.manual), requestedBy: "test")
        _ = try await fixture.view(of: first.job.id) { $0.job.phase == .awaitingSwitchover }
        let second = try fixture.engine.submit(
            JobSpec(work: .save(sources: [try fixture.id("sim-2")], after: .run)),
            requestedBy: "test"
        )
        let dead = fixture.engine
        try fixture.restart("mtty:count=4")
        let settled = try fixture.engine.job(second.job.id).job
        #expect(settled.state.problem?.code == .daemonDied)
        #expect(settled.startedAt == nil)
        #expect(fixture.engine.recovery.jobs.count == 2)
        // The dead one's job must not write into the new one's store for the rest of the tests.
        _ = try dead.cancel(first.job.id)
    }
}

/// Copies of a fixture's directory, one for every write.
final class Snapshots: Sendable {
    private struct State {
        var count = 0
        var problems: [String] = []
    }

    private let root: String
    // Guards the count and what went wrong; a leaf.
    private let state = Mutex(State())

    init(of fixture: EngineFixture) throws {
        root = NSTemporaryDirectory() + "ferry-snapshots-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        let directory = fixture.directory
        fixture.store.observe { [weak self] number in self?.take(number, of: directory) }
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    var count: Int { state.withLock { $0.count } }
    var problems: [String] { state.withLock { $0.problems } }

    func path(_ number: Int) -> String { root + "/\(number)" }

    private func take(_ number: Int, of directory: String) {
        state.withLock { state in
            do {
                try EngineFixture.copy(directory, to: path(number))
                state.count = max(state.count, number)
            } catch {
                state.problems.append("\(error)")
            }
        }
    }
}
