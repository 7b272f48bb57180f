import JobEngine
import MigrationCore
import SimulatedDevices
import Testing

@Suite("What is refused before a job begins")
struct AdmissionTests {
    @Test("as many devices to a job as there are workers, none twice, and only ones that are there")
    func shape() throws {
        let fixture = try EngineFixture(["mlx5:count=3,state=64KiB"]) { $0.workerCount = 2 }
        let (a, b, c) = (
            try fixture.id("sim-0"), try fixture.id("sim-1"), try fixture.id("sim-2")
        )
        let missing = try fixture.id("sim-9")
        for devices in [[], [a, b, c]] {
            let problem = try fixture.refusal(.save(sources: devices, after: .run))
            #expect(problem.code == .setUnsupported)
            #expect(problem.facts.pointer == "/devices")
        }
        let crossed = try fixture.refusal(
            .migrate(
                pairs: [.init(source: a, target: b), .init(source: b, target: c)],
                discard: false
            )
        )
        #expect(crossed.code == .invalidField)
        #expect(crossed.facts.pointer == "/devices/0/target")
        let twice = try fixture.refusal(
            .migrate(pairs: [.init(source: a, target: a)], discard: false)
        )
        #expect(twice.code == .invalidField)
        #expect(twice.facts.pointer == "/devices/0/target")
        for (pair, pointer) in [
            (JobSpec.DevicePair(source: missing, target: b), "/devices/0/source"),
            (JobSpec.DevicePair(source: a, target: missing), "/devices/0/target"),
        ] {
            let problem = try fixture.refusal(.migrate(pairs: [pair], discard: false))
            #expect(problem.code == .invalidField)
            #expect(problem.facts.pointer == pointer)
            #expect(problem.facts.device == missing)
        }
    }

    @Test(
        "a device without a session that another process has open is busy, and who has it is named"
    )
    func held() throws {
        let fixture = try EngineFixture("mlx5:state=64KiB")
        let device = try fixture.id("sim-0")
        _ = try fixture.engine.closeSession(
            try #require(fixture.engine.device(device).session).id,
            discardContent: true
        )
        let holder = Problem.Holder(pid: 4711, command: "qemu", uid: 107)
        let work = JobSpec.Work.save(sources: [device], after: .run)
        fixture.backend.hold(by: [holder])
        let problem = try fixture.refusal(work)
        #expect(problem.code == .deviceBusy)
        #expect(problem.facts.holders == [holder])
        #expect(problem.facts.device == device)
        fixture.backend.hold(by: [])
        #expect(try fixture.refusal(work).code == .noSession)
    }

    @Test("a device without migration is refused with the call and its ENOTTY")
    func notMigratable() throws {
        let fixture = try EngineFixture("plain", "mlx5:state=64KiB")
        let problem = try fixture.refusal(
            .save(sources: [try fixture.id("sim-0")], after: .run)
        )
        #expect(problem.code == .notMigratable)
        #expect(problem.facts.operation == "VFIO_DEVICE_FEATURE_MIGRATION")
        #expect(problem.facts.errno == .notTypewriter)
        #expect(problem.facts.reasons?.isEmpty == false)
        let pair = JobSpec.DevicePair(
            source: try fixture.id("sim-1"),
            target: try fixture.id("sim-0")
        )
        let target = try fixture.refusal(.migrate(pairs: [pair], discard: false))
        #expect(target.code == .notMigratable)
        #expect(target.facts.device == pair.target)
    }

    @Test("a job needs a session, and a source one with content")
    func sessions() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let source = try fixture.id("sim-0")
        let first = try #require(fixture.engine.device(source).session)
        _ = try fixture.engine.closeSession(first.id, discardContent: true)
        #expect(try fixture.refusal(.save(sources: [source], after: .run)).code == .noSession)
        #expect(try fixture.refusal(.reset(devices: [source])).code == .noSession)
        let opened = try fixture.engine.openSession(device: source, joining: nil)
        let empty = try fixture.refusal(.save(sources: [source], after: .run))
        #expect(empty.code == .noSession)
        #expect(empty.facts.content == .empty)
        #expect(empty.facts.session == opened.id)
    }

    @Test("lost content is no source and no obstacle to a target")
    func lostContent() async throws {
        let fixture = try EngineFixture("pds:count=2,state=64KiB,fault=read:ERROR:1@sim-0")
        let source = try fixture.id("sim-0")
        let failed = try await fixture.run(JobSpec(work: .save(sources: [source], after: .run)))
        #expect(failed.job.state.name == "failed")
        #expect(try fixture.content("sim-0") == .lost)
        let problem = try fixture.refusal(.save(sources: [source], after: .run))
        #expect(problem.code == .contentLost)
        #expect(problem.facts.content == .lost)
        let reset = try await fixture.run(JobSpec(work: .reset(devices: [source])))
        #expect(reset.job.state == .succeeded)
        #expect(try fixture.content("sim-0") == .empty)
    }

    @Test("content that cannot be made again is overwritten only on demand")
    func targetContent() async throws {
        let fixture = try EngineFixture("mlx5:count=3,state=64KiB")
        let before = try fixture.digest("sim-0")
        _ = try await fixture.run(try fixture.migration())
        let pair = JobSpec.DevicePair(
            source: try fixture.id("sim-2"),
            target: try fixture.id("sim-1")
        )
        let problem = try fixture.refusal(.migrate(pairs: [pair], discard: false))
        #expect(problem.code == .targetHasContent)
        #expect(problem.facts.content == .loaded)
        #expect(problem.facts.device == pair.target)
        #expect(try fixture.digest("sim-1") == before)
        let forced = try await fixture.run(JobSpec(work: .migrate(pairs: [pair], discard: true)))
        #expect(forced.job.state == .succeeded)
    }

    @Test("states of another driver are refused with every reason")
    func incompatible() throws {
        let fixture = try EngineFixture("mlx5:state=64KiB", "qat:state=64KiB")
        let problem = try fixture.refusal(try fixture.migration().work)
        #expect(problem.code == .incompatible)
        #expect(problem.facts.reasons?.count == 2)
        #expect(problem.facts.device == (try fixture.id("sim-1")))
    }

    @Test("an image has to be there, of the named source, and fit the target")
    func images() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB", "qat:state=64KiB")
        let missing = try #require(ImageID("nothing"))
        let unknown = try fixture.refusal(try fixture.restore(missing).work)
        #expect(unknown.code == .invalidField)
        #expect(unknown.facts.pointer == "/image")
        let save = try await fixture.run(
            JobSpec(work: .save(sources: [try fixture.id("sim-0")], after: .run))
        )
        let image = try #require(save.job.image)
        let copy = try fixture.refusal(try fixture.restore(image, acceptCopy: false).work)
        #expect(copy.code == .copyNotAccepted)
        #expect(copy.facts.image == image)
        let other = try fixture.refusal(
            .restore(
                image: image,
                members: [
                    .init(source: try fixture.id("sim-1"), target: try fixture.id("sim-1"))
                ],
                acceptCopy: true,
                discard: false
            )
        )
        #expect(other.code == .invalidField)
        #expect(other.facts.pointer == "/devices/0/source")
        let alien = try fixture.refusal(try fixture.restore(image, onto: "sim-2").work)
        #expect(alien.code == .incompatible)
        // None of the refused ones keeps the image.
        try fixture.engine.deleteImage(image)
        #expect(fixture.engine.images().isEmpty)
    }

    @Test("a source stopped for its image goes on from the image alone")
    func stoppedSource() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let before = try fixture.digest("sim-0")
        let source = try fixture.id("sim-0")
        let save = try await fixture.run(JobSpec(work: .save(sources: [source], after: .stop)))
        let image = try #require(save.job.image)
        #expect(save.job.mayRun == .nobody)
        for work in [try fixture.migration().work, .save(sources: [source], after: .stop)] {
            let problem = try fixture.refusal(work)
            #expect(problem.code == .copyNotAccepted)
            #expect(problem.facts.image == image)
            #expect(problem.facts.device == source)
        }
        // Onto the very device it came from, it runs again.
        let back = try await fixture.run(
            try fixture.restore(image, onto: "sim-0", acceptCopy: false, discard: true)
        )
        #expect(back.job.state == .succeeded)
        #expect(try fixture.digest("sim-0") == before)
        let again = try fixture.refusal(try fixture.restore(image, acceptCopy: false).work)
        #expect(again.code == .copyNotAccepted)
        let migrate = try await fixture.run(try fixture.migration())
        #expect(migrate.job.state == .succeeded)
        #expect(try fixture.digest("sim-1") == before)
    }

    @Test("a source that is not where it was left has lost its content, for all anybody knows")
    func drivenBehind() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let session = try #require(fixture.backend.sessions.first)
        _ = try session.set(.stop)
        let job = try await fixture.run(try fixture.migration())
        #expect(job.job.state.problem?.code == .contentLost)
        #expect(job.job.mayRun == .nobody)
        #expect(try fixture.content("sim-0") == .lost)
        #expect(try fixture.content("sim-1") == nil)
    }

    @Test("two restores of one image at a time are a copy")
    func twoRestores() async throws {
        let fixture = try EngineFixture("mtty:count=3,arc=20ms")
        let source = try fixture.id("sim-0")
        let save = try await fixture.run(JobSpec(work: .save(sources: [source], after: .stop)))
        let image = try #require(save.job.image)
        let first = try fixture.engine.submit(
            try fixture.restore(image, acceptCopy: false),
            requestedBy: "test"
        )
        let problem = try fixture.refusal(
            try fixture.restore(image, onto: "sim-2", acceptCopy: false).work
        )
        #expect(problem.code == .imageBusy)
        #expect(problem.facts.blockingJob == first.job.id)
        #expect(throws: Problem.self) { try fixture.engine.deleteImage(image) }
        #expect(try await fixture.end(of: first.job.id).job.state == .succeeded)
        let late = try fixture.refusal(
            try fixture.restore(image, onto: "sim-2", acceptCopy: false).work
        )
        #expect(late.code == .copyNotAccepted)
    }
}

extension EngineFixture {
    /// The problem a job is refused with, which leaves its devices free.
    func refusal(_ work: JobSpec.Work) throws -> Problem {
        do throws(Problem) {
            _ = try engine.submit(JobSpec(work: work), requestedBy: "test")
        } catch {
            for device in work.devices where error.code != .deviceBusy {
                #expect((try? engine.device(device))?.lockedBy == nil)
            }
            return error
        }
        throw Problem(.internalError, "The job was admitted.")
    }
}
