import JobEngine
import MigrationCore
import Testing

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
            default: #expect(end.job.state.name == "failed")
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
