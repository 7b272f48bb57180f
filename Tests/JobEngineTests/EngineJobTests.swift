import JobEngine
import MigrationCore
import Testing

@Suite("Jobs on simulated devices")
struct EngineJobTests {
    static let profiles = ["mlx5", "qat", "xe", "virtio", "hisi_acc", "pds", "mtty"]

    @Test("a migrate moves the content and leaves the source closed", arguments: profiles)
    func migrate(_ profile: String) async throws {
        let fixture = try EngineFixture("\(profile):count=2,state=4MiB,seed=7")
        let before = try fixture.digest("sim-0")
        #expect(try fixture.digest("sim-1") != before)
        let view = try await fixture.run(try fixture.migration())
        #expect(view.job.state == .succeeded)
        #expect(view.job.mayRun == .target)
        #expect(try fixture.digest("sim-1") == before)
        #expect(try fixture.content("sim-1") == .loaded)
        #expect(try fixture.content("sim-0") == nil)
        #expect(view.job.actualDowntimeNanoseconds != nil)
    }

    @Test("a saved image restores into another device", arguments: profiles)
    func saveAndRestore(_ profile: String) async throws {
        let fixture = try EngineFixture("\(profile):count=2,state=4MiB,seed=7")
        let before = try fixture.digest("sim-0")
        let save = try await fixture.run(
            JobSpec(work: .save(sources: [try fixture.id("sim-0")], after: .run))
        )
        #expect(save.job.state == .succeeded)
        #expect(try fixture.content("sim-0") == .live)
        let image = try #require(save.job.image)
        let restore = try await fixture.run(try fixture.restore(image))
        #expect(restore.job.state == .succeeded)
        #expect(try fixture.digest("sim-1") == before)
    }

    @Test("a driver's EIO before the commit is reported and rolled back")
    func fault() async throws {
        let fixture = try EngineFixture(
            "mlx5:count=2,state=4MiB,fault=arc:PRE_COPY_P2P-STOP_COPY:EIO:1"
        )
        let before = try fixture.digest("sim-0")
        let view = try await fixture.run(try fixture.migration())
        let problem = try #require(view.job.state.problem)
        #expect(view.job.state.name == "failed")
        #expect(problem.facts.errno == .io)
        #expect(problem.facts.device == (try fixture.id("sim-0")))
        #expect(view.job.mayRun == .source)
        #expect(view.job.devices[0].vfioState == .running)
        #expect(try fixture.content("sim-0") == .live)
        #expect(try fixture.digest("sim-0") == before)
    }

    @Test("cancel at the gate leaves the source running with its content")
    func cancel() async throws {
        let fixture = try EngineFixture("mtty:count=2")
        let before = try fixture.digest("sim-0")
        let job = try fixture.engine.submit(try fixture.migration(.manual), requestedBy: "test")
        _ = try await fixture.view(of: job.job.id) { $0.job.phase == .awaitingSwitchover }
        _ = try fixture.engine.cancel(job.job.id)
        let view = try await fixture.end(of: job.job.id)
        #expect(view.job.state == .cancelled)
        #expect(view.job.devices[0].vfioState == .running)
        #expect(try fixture.digest("sim-0") == before)
        #expect(try fixture.content("sim-1") == nil)
    }

    @Test("a switchover that is asked for waits for no bandwidth limit", .timeLimit(.minutes(10)))
    func switchoverUnderLimit() async throws {
        let fixture = try EngineFixture("mtty:count=2,state=4MiB")
        let before = try fixture.digest("sim-0")
        let job = try fixture.engine.submit(try fixture.crawlingMigration(), requestedBy: "test")
        _ = try await fixture.view(of: job.job.id) { $0.job.phase == .preCopy }
        _ = try fixture.engine.switchOver(job.job.id)
        let view = try await fixture.end(of: job.job.id)
        #expect(view.job.state == .succeeded)
        #expect(try fixture.digest("sim-1") == before)
    }

    @Test("a cancel waits for no bandwidth limit", .timeLimit(.minutes(10)))
    func cancelUnderLimit() async throws {
        let fixture = try EngineFixture("mtty:count=2,state=4MiB")
        let job = try fixture.engine.submit(try fixture.crawlingMigration(), requestedBy: "test")
        _ = try await fixture.view(of: job.job.id) { $0.job.phase == .preCopy }
        _ = try fixture.engine.cancel(job.job.id)
        let view = try await fixture.end(of: job.job.id)
        #expect(view.job.state == .cancelled)
        #expect(view.job.devices[0].vfioState == .running)
    }
}

extension EngineFixture {
    func migration(_ mode: JobSpec.SwitchoverMode = .auto) throws -> JobSpec {
        let pair = JobSpec.DevicePair(source: try id("sim-0"), target: try id("sim-1"))
        return JobSpec(work: .migrate(pairs: [pair], discard: false), switchoverMode: mode)
    }

    /// A migration whose pre-copy would take weeks.
    func crawlingMigration() throws -> JobSpec {
        var spec = try migration(.manual)
        spec.limits.bandwidthBytesPerSecond = 1
        return spec
    }

    func restore(
        _ image: ImageID,
        onto target: String = "sim-1",
        acceptCopy: Bool = true,
        discard: Bool = false
    ) throws -> JobSpec {
        JobSpec(
            work: .restore(
                image: image,
                members: [.init(source: nil, target: try id(target))],
                acceptCopy: acceptCopy,
                discard: discard
            )
        )
    }
}
