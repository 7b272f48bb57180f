import Foundation
import MigrationCore
import Testing

@testable import JobEngine

@Suite("A sidecar outlives the daemon where its device is kept")
struct SidecarSurvivalTests {
    private static let sidecar = Sidecar([1, 2, 3])

    private let source: DeviceID
    private let target: DeviceID
    private let id: JobID

    init() throws {
        source = try #require(DeviceID("sim-0"))
        target = try #require(DeviceID("sim-1"))
        id = try #require(JobID("story"))
    }

    @Test(
        "whatever write the daemon dies at, the next one has it where the content is",
        arguments: [true, false]
    )
    func dies(isBefore: Bool) async throws {
        for write in 1..<100 {
            let directory = NSTemporaryDirectory() + "ferry-sidecar-\(UUID().uuidString)"
            try FileManager.default.createDirectory(
                atPath: directory,
                withIntermediateDirectories: true
            )
            defer { try? FileManager.default.removeItem(atPath: directory) }
            let world = try MortalWorld(directory, "mlx5:count=2,state=64KiB,seed=3")
            guard try await migrate(world, Life.Death(write: write, isBefore: isBefore)) else {
                #expect(write > 8)
                return
            }
            try await check(world, "\(isBefore ? "before" : "after") \(write)")
        }
        Issue.record("the job has no end of writes")
    }

    /// Migrates until the daemon is dead; false when it outlives the job.
    private func migrate(_ world: MortalWorld, _ death: Life.Death) async throws -> Bool {
        let (engine, life) = try world.daemon(dyingAt: death)
        let session = try #require(engine.device(source).session)
        try engine.putSidecar(Self.sidecar, of: session.id)
        life.start()
        let pair = JobSpec.DevicePair(source: source, target: target)
        let spec = JobSpec(id: id, work: .migrate(pairs: [pair], discard: false))
        do throws(Problem) {
            _ = try engine.submit(spec, requestedBy: "test")
        } catch {
            #expect(error.code == .storeFailed)
            return life.isDead
        }
        _ = try? await end(engine)
        return life.isDead
    }

    private func check(_ world: MortalWorld, _ death: String) async throws {
        let (engine, _) = try world.daemon()
        var holder = source
        if (try? engine.job(id)) != nil {
            let job = try await end(engine)
            let isMoved = job.mayRun == .target
            #expect(isMoved || job.mayRun == .source, "\(death): \(job.mayRun)")
            if isMoved { holder = target }
        }
        for device in [source, target] {
            let kept = try engine.device(device).session?.sidecar
            #expect(kept == (device == holder ? Self.sidecar : nil), "\(death): \(device)")
        }
    }

    private func end(_ engine: Engine) async throws -> Job {
        try await engine.view(of: id) { $0.job.state.isTerminal }.job
    }
}
