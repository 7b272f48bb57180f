import Foundation
import JobStore
import MigrationCore
import MigrationPorts
import Testing

@testable import JobEngine

@Suite("A check tells everything that is against a job, and does nothing")
struct CheckTests {
    @Test("what a check finds first is what the job is refused with, whatever the request")
    func agreement() async throws {
        let fixture = try EngineFixture(
            "mlx5:count=4,state=64KiB",
            "qat:count=2,state=64KiB",
            "plain",
            "hisi_acc:count=2,state=64KiB"
        )
        let ids = try (0..<10).map { try fixture.id("sim-\($0)") }
        let save = try await fixture.run(JobSpec(work: .save(sources: [ids[0]], after: .run)))
        let image = try #require(save.job.image)
        let session = try #require(fixture.engine.device(ids[3]).session)
        _ = try fixture.engine.closeSession(session.id, discardContent: true)
        for work in try works(ids, image) {
            for id in [nil, save.job.id] {
                let spec = JobSpec(id: id, work: work)
                let check = fixture.engine.check(spec)
                let refusal = try #require(try fixture.problem(of: spec), "\(work)")
                #expect(check.problems.first == refusal, "\(work)")
            }
        }
    }

    private func works(_ ids: [DeviceID], _ image: ImageID) throws -> [JobSpec.Work] {
        let missing = try #require(ImageID("nothing"))
        let pairs = { (pairs: [(Int, Int)]) in
            JobSpec.Work.migrate(
                pairs: pairs.map { .init(source: ids[$0.0], target: ids[$0.1]) },
                discard: false
            )
        }
        let restore = { (image: ImageID, targets: [Int], acceptCopy: Bool) in
            JobSpec.Work.restore(
                image: image,
                members: targets.map { .init(source: nil, target: ids[$0]) },
                acceptCopy: acceptCopy,
                discard: false
            )
        }
        return [
            .save(sources: [], after: .run), .save(sources: [ids[6]], after: .run),
            .save(sources: [ids[3]], after: .run), .save(sources: [ids[9]], after: .run),
            pairs([(0, 0)]), pairs([(0, 4)]), pairs([(0, 3)]), pairs([(0, 6)]), pairs([(6, 3)]),
            pairs([(0, 1), (1, 2)]), pairs([(7, 8), (0, 2)]), restore(image, [1], false),
            restore(image, [4], true), restore(image, [1, 2], true), restore(missing, [1], true),
            .reset(devices: [ids[3]]),
        ]
    }

    @Test("every reason is told, each once")
    func everything() async throws {
        let fixture = try EngineFixture("mlx5:count=3,state=64KiB", "qat:state=64KiB", "plain")
        let ids = try (0..<5).map { try fixture.id("sim-\($0)") }
        let busy = try fixture.engine.submit(try fixture.migration(.manual), requestedBy: "test")
            .job
        // In pre-copy, where a source does not begin: that is the other job's affair.
        _ = try await fixture.view(of: busy.id) { $0.job.phase == .awaitingSwitchover }
        let spec = JobSpec(
            id: busy.id,
            work: .migrate(
                pairs: [
                    .init(source: ids[0], target: ids[3]), .init(source: ids[4], target: ids[1]),
                    .init(source: try fixture.id("sim-9"), target: ids[2]),
                ],
                discard: false
            )
        )
        let check = fixture.engine.check(spec)
        let told = check.problems.map { "\($0.code.rawValue) \($0.facts.device?.text ?? "")" }
        #expect(
            told == [
                "invalid-field sim-9", "job-exists ", "device-busy sim-0", "device-busy sim-1",
                "incompatible sim-3", "not-migratable sim-4",
            ]
        )
        #expect(check.problems.last?.facts.reasons?.isEmpty == false)
        #expect(check.stateByteCount == nil)
        _ = try fixture.engine.cancel(busy.id)
        _ = try await fixture.end(of: busy.id)
    }

    @Test("an accepted check leaves no job, no lock, no write and no call but GET's kin")
    func traceless() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        fixture.tape.start()
        let check = fixture.engine.check(try fixture.migration())
        #expect(check.problems == [])
        #expect(check.warnings == [])
        #expect(check.stateByteCount ?? 0 > 0)
        #expect(fixture.tape.writeCount == 0)
        for entry in fixture.tape.entries {
            guard case .called(_, let call) = entry else {
                Issue.record("\(entry)")
                continue
            }
            switch call {
            case .set, .reset, .detach, .closed: Issue.record("\(call)")
            case .get, .stream: break
            }
        }
        #expect(try fixture.engine.newest(1).isEmpty)
        #expect(try await fixture.run(try fixture.migration()).job.state == .succeeded)
    }

    @Test("what earlier jobs took is told, and that it is longer than the limit")
    func durations() async throws {
        let fixture = try EngineFixture("mtty:count=4,arc=20ms")
        var spec = try fixture.migration()
        #expect(fixture.engine.check(spec).setNanoseconds == nil)
        #expect(try await fixture.run(spec).job.state == .succeeded)
        let pair = JobSpec.DevicePair(
            source: try fixture.id("sim-2"),
            target: try fixture.id("sim-3")
        )
        spec = JobSpec(work: .migrate(pairs: [pair], discard: false))
        let check = fixture.engine.check(spec)
        #expect(check.problems == [])
        #expect(try #require(check.setNanoseconds) >= 20_000_000)
        spec.limits.downtimeMilliseconds = 1
        let warnings = fixture.engine.check(spec).warnings
        #expect(warnings.contains { $0.contains("downtime_ms is 1") })
    }

    @Test("content that will be lost and a wait for workers are told")
    func warnings() async throws {
        let fixture = try EngineFixture(["mlx5:count=4,state=64KiB"]) { $0.workerCount = 1 }
        _ = try await fixture.run(try fixture.migration())
        let target = try fixture.id("sim-1")
        let onto = JobSpec.DevicePair(source: try fixture.id("sim-2"), target: target)
        let lossy = JobSpec(work: .migrate(pairs: [onto], discard: true))
        #expect(
            fixture.engine.check(lossy).warnings == ["The content of sim-1 (loaded) is lost."]
        )
        let reset = fixture.engine.check(JobSpec(work: .reset(devices: [target])))
        #expect(reset.warnings == ["The content of sim-1 (loaded) is lost."])
        let pair = JobSpec.DevicePair(source: target, target: try fixture.id("sim-0"))
        _ = try? fixture.engine.openSession(device: pair.target, joining: nil)
        let busy = try fixture.engine.submit(
            JobSpec(work: .migrate(pairs: [pair], discard: false), switchoverMode: .manual),
            requestedBy: "test"
        )
        _ = try await fixture.view(of: busy.job.id) { $0.job.phase == .awaitingSwitchover }
        let waiting = fixture.engine.check(
            JobSpec(work: .save(sources: [try fixture.id("sim-3")], after: .run))
        )
        #expect(waiting.problems == [])
        #expect(waiting.warnings.contains { $0.contains("waits until other jobs") })
        _ = try fixture.engine.cancel(busy.job.id)
        _ = try await fixture.end(of: busy.job.id)
    }

    @Test("an image whose files are not those that were saved is told, and its size where it is")
    func images() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let save = try await fixture.run(
            JobSpec(work: .save(sources: [try fixture.id("sim-0")], after: .run))
        )
        let image = try fixture.engine.image(try #require(save.job.image))
        let spec = try fixture.restore(image.id)
        let whole = fixture.engine.check(spec)
        #expect(whole.problems == [])
        #expect(whole.stateByteCount == image.byteCount)
        try fixture.spoilManifest(of: image.id)
        let spoilt = fixture.engine.check(spec)
        #expect(spoilt.problems.map(\.code) == [.imageCorrupt])
        #expect(spoilt.problems.first?.facts.image == image.id)
    }
}

extension EngineFixture {
    /// What a job is refused with; nil for one that began.
    fileprivate func problem(of spec: JobSpec) throws -> Problem? {
        do throws(Problem) {
            _ = try engine.submit(spec, requestedBy: "test")
            return nil
        } catch {
            return error
        }
    }

    /// Changes a byte of an image's manifest.
    fileprivate func spoilManifest(of image: ImageID) throws {
        let path = "\(directory)/images/\(image)/manifest.json"
        var bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
        let place = try #require(bytes.lastIndex(of: UInt8(ascii: ":")))
        bytes[place] = UInt8(ascii: ";")
        try Data(bytes).write(to: URL(filePath: path))
    }
}
