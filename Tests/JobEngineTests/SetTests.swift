import JobEngine
import MigrationCore
import MigrationPorts
import Testing

@Suite("Sets of devices")
struct SetTests {
    static func pairs(_ fixture: EngineFixture, _ count: Int) throws -> [JobSpec.DevicePair] {
        try (0..<count).map {
            JobSpec.DevicePair(
                source: try fixture.id("sim-\($0)"),
                target: try fixture.id("sim-\(count + $0)")
            )
        }
    }

    /// The SETs of a side, in the order they were made.
    private func sets(
        _ fixture: EngineFixture,
        _ devices: [DeviceID]
    ) -> [(device: DeviceID, state: DeviceState)] {
        fixture.tape.entries.compactMap { entry in
            guard case .called(let device, .set(let state, failed: false)) = entry,
                devices.contains(device)
            else { return nil }
            return (device, state)
        }
    }

    @Test("a set moves as one: barriers down and up, one commit, every content in its place")
    func migrate() async throws {
        let count = 4
        let fixture = try EngineFixture("mlx5:count=8,state=64KiB,seed=3")
        let pairs = try Self.pairs(fixture, count)
        let before = try pairs.map { try fixture.digest($0.source.text) }
        fixture.tape.start()
        let view = try await fixture.run(JobSpec(work: .migrate(pairs: pairs, discard: false)))
        fixture.tape.stop()
        #expect(view.job.state == .succeeded)
        #expect(view.job.mayRun == .target)
        #expect(try pairs.map { try fixture.digest($0.target.text) } == before)
        let down = sets(fixture, pairs.map(\.source))
        let quiet = try #require(down.lastIndex { $0.state == .preCopyP2P })
        let stop = try #require(down.firstIndex { $0.state == .stopCopy })
        #expect(quiet < stop)
        let up = sets(fixture, pairs.map(\.target))
        let reachable = try #require(up.lastIndex { $0.state == .runningP2P })
        let running = try #require(up.firstIndex { $0.state == .running })
        #expect(reachable < running)
        #expect(up.count { $0.state == .running } == count)
        let lines = try fixture.engine.journal(of: view.job.id, after: 0, limit: 1000)
        #expect(lines.count { $0.entry.line == .commit } == 1)
        #expect(TapeRules(view.job.spec).violations(in: fixture.tape.entries) == [])
        for pair in pairs {
            #expect(try fixture.engine.device(pair.source).session == nil)
            #expect(try fixture.engine.device(pair.target).session?.content == .loaded)
        }
    }

    @Test("a set is saved into one image and restored from it, whichever target each is for")
    func saveAndRestore() async throws {
        let fixture = try EngineFixture("mlx5:count=4,state=64KiB,seed=5")
        let (a, b) = (try fixture.id("sim-0"), try fixture.id("sim-1"))
        let (c, d) = (try fixture.id("sim-2"), try fixture.id("sim-3"))
        let before = [try fixture.digest("sim-0"), try fixture.digest("sim-1")]
        let save = try await fixture.run(JobSpec(work: .save(sources: [a, b], after: .stop)))
        #expect(save.job.state == .succeeded)
        let image = try #require(save.job.image)
        #expect(try fixture.engine.image(image).members.map(\.device) == [a, b])
        for device in [a, b] {
            #expect(try fixture.engine.device(device).session?.stoppedImage == image)
        }
        let partial = try fixture.refusal(
            .restore(
                image: image,
                members: [.init(source: a, target: c)],
                acceptCopy: false,
                discard: false
            )
        )
        #expect(partial.code == .invalidField)
        #expect(partial.facts.pointer == "/devices")
        let nameless = try fixture.refusal(
            .restore(
                image: image,
                members: [.init(source: a, target: c), .init(source: nil, target: d)],
                acceptCopy: false,
                discard: false
            )
        )
        #expect(nameless.facts.pointer == "/devices/1/source")
        let restore = try await fixture.run(
            JobSpec(
                work: .restore(
                    image: image,
                    members: [.init(source: b, target: c), .init(source: a, target: d)],
                    acceptCopy: false,
                    discard: false
                )
            )
        )
        #expect(restore.job.state == .succeeded)
        #expect(try fixture.digest("sim-2") == before[1])
        #expect(try fixture.digest("sim-3") == before[0])
    }

    @Test("devices without P2P move together only when nobody maps another's memory")
    func withoutP2P() async throws {
        let fixture = try EngineFixture("hisi_acc:count=4")
        let work = JobSpec.Work.migrate(pairs: try Self.pairs(fixture, 2), discard: false)
        let problem = try fixture.refusal(work)
        #expect(problem.code == .setUnsupported)
        #expect(problem.facts.reasons?.count == 2)
        #expect(problem.facts.pointer == "/devices")
        let view = try await fixture.run(JobSpec(work: work, hasNoPeerMappings: true))
        #expect(view.job.state == .succeeded)
    }

    @Test("a set of drivers that can and cannot pre-copy is quiesced together")
    func mixedSet() async throws {
        // sim-0, sim-1 mlx5; sim-2, sim-3 xe, which has P2P and no pre-copy.
        let fixture = try EngineFixture(
            "mlx5:count=2,state=64KiB,seed=1",
            "xe:count=2,state=64KiB,seed=2"
        )
        let pairs = [
            JobSpec.DevicePair(source: try fixture.id("sim-0"), target: try fixture.id("sim-1")),
            JobSpec.DevicePair(source: try fixture.id("sim-2"), target: try fixture.id("sim-3")),
        ]
        let before = try pairs.map { try fixture.digest($0.source.text) }
        fixture.tape.start()
        let view = try await fixture.run(JobSpec(work: .migrate(pairs: pairs, discard: false)))
        #expect(view.job.state == .succeeded)
        #expect(try pairs.map { try fixture.digest($0.target.text) } == before)
        let whole = sets(fixture, [pairs[1].source]).map(\.state)
        #expect(whole.prefix(2) == [.runningP2P, .stopCopy])
        let copied = sets(fixture, [pairs[0].source]).map(\.state)
        #expect(copied.prefix(3) == [.preCopy, .preCopyP2P, .stopCopy])
        #expect(TapeRules(view.job.spec).violations(in: fixture.tape.entries) == [])
    }

    @Test("state of one driver goes into no other's device, and the pair at fault is named")
    func incompatible() throws {
        let fixture = try EngineFixture("mlx5:count=3,state=64KiB", "qat")
        let pairs = [
            JobSpec.DevicePair(source: try fixture.id("sim-0"), target: try fixture.id("sim-1")),
            JobSpec.DevicePair(source: try fixture.id("sim-2"), target: try fixture.id("sim-3")),
        ]
        let problem = try fixture.refusal(.migrate(pairs: pairs, discard: false))
        #expect(problem.code == .incompatible)
        #expect(problem.facts.device == pairs[1].target)
        #expect(try fixture.engine.device(pairs[0].source).lockedBy == nil)
    }

    @Test("a set leases a worker for each device, and a small job passes it while it waits")
    func leases() async throws {
        let fixture = try EngineFixture(["mtty:count=8"]) { $0.workerCount = 3 }
        let held = try fixture.engine.submit(
            JobSpec(
                work: .migrate(pairs: try Self.pairs(fixture, 2), discard: false),
                switchoverMode: .manual
            ),
            requestedBy: "test"
        )
        _ = try await fixture.view(of: held.job.id) { $0.job.phase == .awaitingSwitchover }
        #expect(fixture.engine.host().workersBusy == 2)
        let devices = try (4..<6).map { try fixture.id("sim-\($0)") }
        let large = try fixture.engine.submit(
            JobSpec(work: .save(sources: devices, after: .run)),
            requestedBy: "test"
        )
        #expect(large.job.state == .queued)
        let small = try await fixture.run(
            JobSpec(work: .save(sources: [try fixture.id("sim-6")], after: .run))
        )
        #expect(small.job.state == .succeeded)
        #expect(try fixture.engine.job(large.job.id).job.state == .queued)
        _ = try fixture.engine.switchOver(held.job.id)
        #expect(try await fixture.end(of: held.job.id).job.state == .succeeded)
        #expect(try await fixture.end(of: large.job.id).job.state == .succeeded)
        let last = try await fixture.run(
            JobSpec(work: .save(sources: [try fixture.id("sim-7")], after: .run))
        )
        #expect(last.job.state == .succeeded)
    }

    @Test("what SETs took is learned by driver, kept, and expected of the next job")
    func learned() async throws {
        let fixture = try EngineFixture("mlx5:count=4,state=64KiB,arc=3ms")
        let first = try await fixture.run(
            JobSpec(work: .migrate(pairs: try Self.pairs(fixture, 2), discard: false))
        )
        #expect(first.progress?.setNanoseconds == nil)
        try fixture.restart("mlx5:count=4,state=64KiB,arc=3ms")
        let second = try await fixture.run(
            JobSpec(work: .migrate(pairs: try Self.pairs(fixture, 2), discard: false))
        )
        // Five SETs of the downtime, each of one or more arcs of 3 ms.
        let expected = try #require(second.progress?.setNanoseconds)
        #expect(expected >= 15_000_000)
        let whole = try #require(second.progress?.expectedDowntimeNanoseconds)
        #expect(whole >= expected)
    }
}
