import MigrationCore
import Testing

@testable import JobEngine

@Suite("The start of an engine")
struct StartTests {
    @Test("a device that fails when the daemon starts has no session, and the others have")
    func failingDevice() throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB,fault=get:EIO:1@sim-0")
        #expect(fixture.engine.problemsAtStart.map(\.facts.device?.text) == ["sim-0"])
        #expect(fixture.engine.problemsAtStart.first?.facts.errno == .io)
        #expect(try fixture.engine.device(try fixture.id("sim-0")).session == nil)
        #expect(try fixture.engine.device(try fixture.id("sim-1")).session?.content == .live)
    }

    @Test("an indeterminate job keeps the devices that are open, and no other")
    func closedTargets() async throws {
        let fixture = try EngineFixture(
            "mlx5:count=2,state=64KiB,fault=arc:PRE_COPY-RUNNING:EIO:1@sim-0"
        )
        let job = try fixture.engine.submit(try fixture.migration(.manual), requestedBy: "test").job
        _ = try await fixture.view(of: job.id) { $0.job.phase == .awaitingSwitchover }
        _ = try fixture.engine.cancel(job.id)
        let end = try await fixture.end(of: job.id)
        #expect(end.job.state.name == "indeterminate")
        #expect(try fixture.engine.device(try fixture.id("sim-0")).lockedBy == job.id)
        #expect(try fixture.engine.device(try fixture.id("sim-1")).lockedBy == nil)
        // Somebody looks at the device and says that its content may go on.
        let resolved = try fixture.engine.resolve(job.id, mayRun: .source, isTargetFenced: false)
        #expect(resolved.job.id == job.id)
        let settled = try await fixture.end(of: job.id)
        #expect(settled.job.state == .cancelled)
        #expect(settled.job.mayRun == .source)
        #expect(try fixture.engine.device(try fixture.id("sim-0")).lockedBy == nil)
        let lines = try fixture.engine.journal(of: job.id, after: 0, limit: 100)
        #expect(lines.contains { $0.entry.line == .resolved(.source) })
    }

    @Test("a doubtful commit is resolved by whoever looks: for the target, the source, or nobody")
    func resolve() async throws {
        for side in [MayRun.target, .source, .nobody] {
            let fixture = try EngineFixture("mlx5:count=2,state=64KiB,seed=4")
            let before = try fixture.digest("sim-0")
            fixture.store.plan(.decision)
            fixture.tape.start()
            let job = try await fixture.run(try fixture.migration())
            #expect(job.job.state.name == "indeterminate")
            #expect(job.job.mayRun == .nobody)
            fixture.store.plan(.none)
            let running = #expect(throws: Problem.self) {
                _ = try fixture.engine.resolve(
                    try #require(JobID("none")),
                    mayRun: side,
                    isTargetFenced: false
                )
            }
            #expect(running?.code == .notFound)
            _ = try fixture.engine.resolve(job.job.id, mayRun: side, isTargetFenced: false)
            let end = try await fixture.end(of: job.job.id)
            fixture.tape.stop()
            #expect(end.job.mayRun == side)
            #expect(TapeRules(end.job.spec).violations(in: fixture.tape.entries) == [])
            switch side {
            case .target:
                #expect(end.job.state == .succeeded)
                #expect(try fixture.digest("sim-1") == before)
            case .source:
                #expect(end.job.state == .cancelled)
                #expect(try fixture.digest("sim-0") == before)
            default:
                #expect(end.job.state.name == "failed")
                try expectBars(fixture, job.job.id)
            }
            for device in ["sim-0", "sim-1"] {
                #expect(try fixture.engine.device(try fixture.id(device)).lockedBy == nil)
            }
            let again = #expect(throws: Problem.self) {
                _ = try fixture.engine.resolve(job.job.id, mayRun: side, isTargetFenced: false)
            }
            #expect(again?.code == .notIndeterminate)
        }
    }

    /// Nobody may run it: not where it is, nor anywhere else.
    private func expectBars(_ fixture: EngineFixture, _ job: JobID) throws {
        for session in fixture.engine.sessions() {
            let collected = #expect(throws: Problem.self) {
                _ = try fixture.engine.beginCollection(of: session.id)
            }
            #expect(collected?.code == .jobCommitted)
            #expect(collected?.facts.blockingJob == job)
        }
        let moved = #expect(throws: Problem.self) {
            _ = try fixture.engine.submit(
                JobSpec(work: .save(sources: [try fixture.id("sim-0")], after: .stop)),
                requestedBy: "test"
            )
        }
        #expect(moved?.code == .jobCommitted)
    }

    @Test("what was opened on a device since its job ended is none of the job's")
    func laterSession() async throws {
        let fixture = try EngineFixture(
            "mlx5:count=3,state=64KiB,fault=arc:PRE_COPY-RUNNING:EIO:1@sim-0"
        )
        let job = try fixture.engine.submit(try fixture.migration(.manual), requestedBy: "test").job
        _ = try await fixture.view(of: job.id) { $0.job.phase == .awaitingSwitchover }
        _ = try fixture.engine.cancel(job.id)
        #expect(try await fixture.end(of: job.id).job.state.name == "indeterminate")
        let later = try fixture.engine.openSession(
            device: try fixture.id("sim-1"),
            joining: nil
        )
        let pair = JobSpec.DevicePair(
            source: try fixture.id("sim-2"),
            target: try fixture.id("sim-1")
        )
        let other = try await fixture.run(
            JobSpec(work: .migrate(pairs: [pair], discard: false))
        )
        #expect(other.job.state == .succeeded)
        let content = try fixture.digest("sim-1")
        _ = try fixture.engine.resolve(job.id, mayRun: .source, isTargetFenced: false)
        #expect(try await fixture.end(of: job.id).job.mayRun == .source)
        #expect(try fixture.engine.session(later.id).status == .open)
        #expect(try fixture.engine.session(later.id).content == .loaded)
        #expect(try fixture.digest("sim-1") == content)
    }

    @Test("an abort that a full disk refuses for a while is written in the end")
    func laterAbort() async throws {
        let fixture = try EngineFixture(["mlx5:count=2,state=64KiB,seed=4"]) {
            $0.abortTryLimit = 4
        }
        let before = try fixture.digest("sim-0")
        fixture.store.plan(.commitAndAborts(2))
        fixture.tape.start()
        let job = try await fixture.run(try fixture.migration())
        fixture.tape.stop()
        #expect(job.job.state.name == "failed")
        #expect(job.job.mayRun == .source)
        #expect(try fixture.digest("sim-0") == before)
        #expect(job.job.warnings.contains { $0.contains("tried again") })
        #expect(TapeRules(job.job.spec).violations(in: fixture.tape.entries) == [])
    }
}
