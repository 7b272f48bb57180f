import JobEngine
import MigrationCore
import Testing

@Suite("The limits of a job")
struct LimitTests {
    @Test("the time to complete ends a pre-copy that waits for its bandwidth")
    func completionUnderBandwidth() async throws {
        let fixture = try EngineFixture("mtty:count=2,state=4MiB")
        let before = try fixture.digest("sim-0")
        var spec = try fixture.crawlingMigration()
        spec.limits.completionTimeoutSeconds = 1
        let view = try await fixture.run(spec)
        try expectTimedOut(view, fixture, before)
    }

    @Test("the time to complete ends a wait at the gate")
    func completionAtTheGate() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let before = try fixture.digest("sim-0")
        var spec = try fixture.migration(.manual)
        spec.limits.completionTimeoutSeconds = 1
        let view = try await fixture.run(spec)
        try expectTimedOut(view, fixture, before)
    }

    private func expectTimedOut(
        _ view: JobView,
        _ fixture: EngineFixture,
        _ before: String
    ) throws {
        #expect(view.job.state.problem?.code == .timedOut)
        #expect(view.job.mayRun == .source)
        #expect(view.job.devices[0].vfioState == .running)
        #expect(try fixture.digest("sim-0") == before)
    }

    @Test(
        "more dirt than the downtime may move holds the switchover back, until a word comes",
        .timeLimit(.minutes(10))
    )
    func downtime() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=4MiB,dirty=1GiB")
        var spec = try fixture.migration()
        spec.limits.downtimeMilliseconds = 0
        let job = try fixture.engine.submit(spec, requestedBy: "test").job
        let view = try await fixture.view(of: job.id) { $0.job.phase == .preCopy }
        #expect(view.job.state == .running)
        // Rounds are no durable changes, so they are counted by the calls they make.
        let rounds = RoundCount(fixture)
        try await rounds.wait(for: 3)
        let held = try fixture.engine.job(job.id)
        #expect(held.job.phase == .preCopy)
        #expect(held.switchoverBlockedBy == ["downtime_limit"])
        #expect(try #require(held.progress?.expectedDowntimeNanoseconds) > 0)
        _ = try fixture.engine.switchOver(job.id)
        let end = try await fixture.end(of: job.id)
        #expect(end.job.state == .succeeded)
        let source = try fixture.engine.device(fixture.id("sim-0")).record.simulation
        let target = try fixture.engine.device(fixture.id("sim-1")).record.simulation
        #expect(source?.stoppedContentDigest != nil)
        #expect(source?.stoppedContentDigest == target?.stoppedContentDigest)
    }

    @Test("a manual switchover waits at its gate and says so")
    func gate() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=1MiB")
        let job = try fixture.engine.submit(try fixture.migration(.manual), requestedBy: "test").job
        let view = try await fixture.view(of: job.id) { $0.job.phase == .awaitingSwitchover }
        #expect(view.switchoverBlockedBy == ["gate"])
        #expect(view.isCancellable)
        let progress = try #require(view.progress)
        #expect(progress.sentByteCount > 0)
        #expect(progress.iterations > 0)
        _ = try fixture.engine.switchOver(job.id)
        let end = try await fixture.end(of: job.id)
        #expect(end.job.state == .succeeded)
        #expect(end.switchoverBlockedBy == [])
        #expect(end.job.actualDowntimeNanoseconds != nil)
        do throws(Problem) {
            _ = try fixture.engine.switchOver(job.id)
            Issue.record("an ended job was switched over")
        } catch {
            #expect(error.code == .notAwaitingSwitchover || error.code == .jobFinished)
        }
    }

    @Test("the bandwidth is a limit of pre-copy: the downtime has none", .timeLimit(.minutes(10)))
    func bandwidthInTheDowntime() async throws {
        let fixture = try EngineFixture("pds:count=2,state=4MiB")
        let before = try fixture.digest("sim-0")
        var spec = try fixture.migration()
        spec.limits.bandwidthBytesPerSecond = 1
        let view = try await fixture.run(spec)
        #expect(view.job.state == .succeeded)
        #expect(try fixture.digest("sim-1") == before)
    }

    @Test("a restore shows what there is to load, then that all is there")
    func restoreProgress() async throws {
        let fixture = try EngineFixture("mtty:count=2")
        let save = try await fixture.run(
            JobSpec(work: .save(sources: [try fixture.id("sim-0")], after: .run))
        )
        let image = try fixture.engine.image(try #require(save.job.image))
        let view = try await fixture.run(try fixture.restore(image.id))
        let progress = try #require(view.progress)
        #expect(progress.sentByteCount == image.byteCount)
        #expect(progress.remainingByteCount == 0)
        #expect(view.job.devices[0].transferredBytes == image.byteCount)
    }
}
