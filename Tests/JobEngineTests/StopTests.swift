import JobEngine
import MigrationCore
import SimulatedDevices
import Synchronization
import Testing

@Suite("The daemon stops")
struct StopTests {
    /// Stops an engine and counts how often it says it is done.
    private func stop(_ fixture: EngineFixture, _ count: DoneCount) async throws {
        let engine = fixture.engine
        try await awaitCall("the stop") { told in
            engine.stop(losing: everything(in: engine)) { _ in
                if count.add() == 1 { told() }
            }
        }
    }

    @Test("jobs before their commit are rolled back, those that wait never begin")
    func rollBack() async throws {
        let fixture = try EngineFixture(["mtty:count=3"]) { $0.workerCount = 1 }
        let before = try fixture.digest("sim-0")
        let first = try fixture.engine.submit(try fixture.migration(.manual), requestedBy: "test")
        _ = try await fixture.view(of: first.job.id) { $0.job.phase == .awaitingSwitchover }
        let save = JobSpec(work: .save(sources: [try fixture.id("sim-2")], after: .run))
        let second = try fixture.engine.submit(save, requestedBy: "test")
        let digests = Digests()
        let devices = fixture.devices
        fixture.store.observe { _ in
            guard let id = DeviceID("sim-0") else { return }
            digests.note(devices.device(id)?.simulation?.contentDigest)
        }
        fixture.tape.start()
        let count = DoneCount()
        try await stop(fixture, count)
        for (id, isBegun) in [(first.job.id, true), (second.job.id, false)] {
            let job = try fixture.engine.job(id).job
            #expect(job.state.problem?.code == .shuttingDown)
            #expect(job.mayRun == .source)
            #expect((job.startedAt != nil) == isBegun)
        }
        // Until its session was closed the source had its content.
        #expect(digests.all.first == before)
        #expect(fixture.backend.sessions.allSatisfy { $0.isClosed })
        #expect(fixture.backend.sessions.allSatisfy { $0.openStreamCount == 0 })
        #expect(fixture.engine.sessions().allSatisfy { $0.status == .closed })
        #expect(count.value == 1)
    }

    @Test("a job behind its commit comes to its end first")
    func finish() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let engine = fixture.engine
        let count = DoneCount()
        let stopped = DoneCount()
        fixture.backend.observe { device, state in
            guard device.text == "sim-1", state == .running, stopped.add() == 1 else { return }
            engine.stop(losing: everything(in: engine)) { _ in _ = count.add() }
        }
        let view = try await fixture.run(try fixture.migration())
        #expect(view.job.state == .succeeded)
        #expect(view.job.mayRun == .target)
        try await stop(fixture, DoneCount())
        #expect(count.value == 1)
        #expect(try fixture.content("sim-1") == nil)
    }

    @Test("nothing is taken any more, and no wait goes on")
    func refuse() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let job = try await fixture.run(
            JobSpec(work: .save(sources: [try fixture.id("sim-0")], after: .run))
        )
        try await stop(fixture, DoneCount())
        #expect(try fixture.refusal(try fixture.migration().work).code == .shuttingDown)
        do throws(Problem) {
            _ = try fixture.engine.openSession(device: job.job.spec.work.devices[0], joining: nil)
            Issue.record("a session was opened")
        } catch {
            #expect(error.code == .shuttingDown)
        }
        #expect(!fixture.engine.readiness().isReady)
        try await awaitCall("the end of a wait") { told in
            fixture.engine.awaitChange(of: job.job.id, after: .max, seconds: 3600) { told() }
        }
    }

    @Test("a store that is gone holds up no stop")
    func withoutStore() async throws {
        let fixture = try EngineFixture("mtty:count=2")
        let first = try fixture.engine.submit(try fixture.migration(.manual), requestedBy: "test")
        _ = try await fixture.view(of: first.job.id) { $0.job.phase == .awaitingSwitchover }
        fixture.store.plan(.from(1))
        fixture.tape.start()
        try await stop(fixture, DoneCount())
        #expect(fixture.backend.sessions.allSatisfy { $0.isClosed })
    }
}

/// How often something was done.
final class DoneCount: Sendable {
    private let count = Atomic(0)

    func add() -> Int { count.add(1, ordering: .acquiringAndReleasing).newValue }
    var value: Int { count.load(ordering: .acquiring) }
}

/// Digests in the order they were seen.
final class Digests: Sendable {
    // Guards the list; a leaf.
    private let list = Mutex<[String?]>([])

    var all: [String?] { list.withLock { $0 } }
    func note(_ digest: String?) { list.withLock { $0.append(digest) } }
}

/// A stop that may lose whatever the engine holds.
private func everything(in engine: Engine) -> Set<SessionID> {
    Set(engine.sessions().map(\.id))
}
