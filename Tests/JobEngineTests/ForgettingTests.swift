import JobStore
import MigrationCore
import MigrationPorts
import Testing

@testable import JobEngine

@Suite("Jobs and sessions that ended long ago are forgotten")
struct ForgettingTests {
    private func ended(_ fixture: EngineFixture, _ device: String = "sim-0") async throws -> JobID {
        try await fixture.run(JobSpec(work: .reset(devices: [try fixture.id(device)]))).job.id
    }

    /// One round of all there is to forget; the first one that finds a job ended begins its time.
    private func forget(_ fixture: EngineFixture) { while fixture.engine.forget() {} }

    private func isThere(_ id: JobID, _ fixture: EngineFixture) -> Bool {
        (try? fixture.engine.job(id)) != nil
    }

    @Test("a job goes thirty days after its end, from memory too, and what it made stays")
    func age() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let save = try await fixture.run(
            JobSpec(work: .save(sources: [try fixture.id("sim-0")], after: .run))
        )
        forget(fixture)
        fixture.clock.pass(days: 29.9)
        forget(fixture)
        #expect(isThere(save.job.id, fixture))
        fixture.clock.pass(days: 0.2)
        forget(fixture)
        #expect(!isThere(save.job.id, fixture))
        #expect(fixture.engine.recentJob(save.job.id) == nil)
        #expect(throws: Problem.self) {
            try fixture.engine.journal(of: save.job.id, after: 0, limit: 1)
        }
        let image = try fixture.engine.image(try #require(save.job.image))
        #expect(image.job == save.job.id)
        let restore = try await fixture.run(try fixture.restore(image.id))
        #expect(restore.job.state == .succeeded)
    }

    @Test("a clock that is set ahead by years, or back, forgets nothing")
    func clock() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let job = try await ended(fixture)
        forget(fixture)
        for days in [3650, -7300, 36_500] as [Int64] {
            fixture.clock.set(aheadByDays: days)
            forget(fixture)
            try fixture.restart("mlx5:count=2,state=64KiB")
            forget(fixture)
            #expect(isThere(job, fixture))
        }
    }

    @Test("time in which daemons ran adds up over restarts")
    func restarts() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let job = try await ended(fixture)
        forget(fixture)
        for _ in 0..<3 {
            fixture.clock.pass(days: 9.9)
            forget(fixture)
            try fixture.restart("mlx5:count=2,state=64KiB")
            #expect(isThere(job, fixture))
        }
        fixture.clock.pass(days: 0.5)
        forget(fixture)
        #expect(!isThere(job, fixture))
    }

    @Test("of more jobs and sessions than are kept the oldest go")
    func number() async throws {
        let fixture = try EngineFixture(["mlx5:count=2,state=64KiB"]) {
            $0.retainedJobLimit = 2
            $0.retainedSessionLimit = 1
        }
        var jobs: [JobID] = []
        for _ in 0..<4 { jobs.append(try await ended(fixture)) }
        let device = try fixture.id("sim-1")
        var closed: [SessionID] = []
        for _ in 0..<3 {
            let open = try #require(
                try fixture.engine.device(device).session
                    ?? fixture.engine.openSession(device: device, joining: nil)
            )
            closed.append(open.id)
            _ = try fixture.engine.closeSession(open.id, discardContent: true)
        }
        forget(fixture)
        let left = try fixture.engine.newest(10).map(\.job.id)
        #expect(left == [jobs[3], jobs[2]])
        let kept = try fixture.store.sessions().filter { $0.status != .open }.map(\.id)
        #expect(kept == [closed[2]])
        #expect(fixture.engine.sessions().filter { $0.status != .open }.map(\.id) == kept)
    }

    @Test("nothing is forgotten while a job runs, and after it everything that is past keeping")
    func running() async throws {
        let fixture = try EngineFixture(["mlx5:count=3,state=64KiB"]) { $0.commandQueueCount = 1 }
        let old = try await ended(fixture, "sim-2")
        try await fixture.idle()
        let migration = try fixture.engine.submit(
            try fixture.migration(.manual),
            requestedBy: "test"
        )
        _ = try await fixture.view(of: migration.job.id) { $0.job.phase == .awaitingSwitchover }
        fixture.clock.pass(days: 40)
        fixture.engine.tidyStore()
        try await fixture.idle()
        #expect(isThere(old, fixture))
        _ = try fixture.engine.cancel(migration.job.id)
        _ = try await fixture.end(of: migration.job.id)
        try await fixture.idle()
        #expect(!isThere(old, fixture))
        #expect(isThere(migration.job.id, fixture))
    }

    @Test("a job that bars what an open session holds stays until the session ends")
    func barring() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        fixture.store.plan(.decision)
        fixture.tape.start()
        let job = try await fixture.run(try fixture.migration()).job
        fixture.store.plan(.none)
        #expect(job.state.name == "indeterminate")
        let early = #expect(throws: Problem.self) { try fixture.engine.deleteJob(job.id) }
        #expect(early?.code == .jobUnsettled)
        forget(fixture)
        fixture.clock.pass(days: 400)
        forget(fixture)
        #expect(isThere(job.id, fixture))
        _ = try fixture.engine.resolve(job.id, mayRun: .nobody, isTargetFenced: false)
        forget(fixture)
        fixture.clock.pass(days: 400)
        forget(fixture)
        #expect(isThere(job.id, fixture))
        let open = fixture.engine.sessions().filter { $0.status == .open }
        let barred = open.filter { $0.barredBy == job.id }
        #expect(!barred.isEmpty)
        let late = #expect(throws: Problem.self) { try fixture.engine.deleteJob(job.id) }
        #expect(late?.code == .jobUnsettled)
        #expect(barred.map(\.id).contains(try #require(late?.facts.session)))
        for session in barred {
            _ = try fixture.engine.closeSession(session.id, discardContent: true)
        }
        forget(fixture)
        #expect(!isThere(job.id, fixture))
    }

    @Test("a job is deleted on request when it has ended, and its name is free again")
    func deleted() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        var spec = try fixture.migration(.manual)
        let id = try #require(JobID("m"))
        spec.id = id
        _ = try fixture.engine.submit(spec, requestedBy: "test")
        let active = #expect(throws: Problem.self) { try fixture.engine.deleteJob(id) }
        #expect(active?.code == .jobUnsettled)
        #expect(active?.facts.blockingJob == id)
        // Not before it has begun: a cancel then leaves the target its session.
        _ = try await fixture.view(of: id) { $0.job.phase == .awaitingSwitchover }
        _ = try fixture.engine.cancel(id)
        _ = try await fixture.end(of: id)
        try fixture.engine.deleteJob(id)
        #expect(!isThere(id, fixture))
        #expect(try fixture.store.journal(of: id, after: 0, limit: 1) == [])
        let again = #expect(throws: Problem.self) { try fixture.engine.deleteJob(id) }
        #expect(again?.code == .notFound)
        _ = try fixture.engine.openSession(device: try fixture.id("sim-1"), joining: nil)
        _ = try fixture.engine.submit(spec, requestedBy: "test")
        _ = try fixture.engine.cancel(id)
        #expect(try await fixture.end(of: id).job.state == .cancelled)
        let lines = try fixture.engine.journal(of: id, after: 0, limit: 1)
        #expect(lines.map(\.entry.line) == [.accepted])
    }
}
