import Foundation
import MigrationCore
import SimulatedDevices
import StateTransfer
import Testing

@testable import JobEngine

@Suite("The daemon dies at every write, and a keeper holds its devices")
struct SurvivalTests {
    enum Work: String, CaseIterable, Sendable {
        case migrate
        case saveAndRun
        case saveAndStop
        case restore
        case cancel
    }

    /// One job of a daemon that dies, and what the next one makes of it.
    private struct Story {
        let world: MortalWorld
        let directory: String
        let ids: [DeviceID]
        /// What the first two devices held.
        let before: [String]

        init() throws {
            directory = NSTemporaryDirectory() + "ferry-survival-\(UUID().uuidString)"
            try FileManager.default.createDirectory(
                atPath: directory,
                withIntermediateDirectories: true
            )
            let world = try MortalWorld(directory, "mlx5:count=4,state=64KiB,seed=23")
            self.world = world
            ids = try (0..<4).map { try #require(DeviceID("sim-\($0)")) }
            before = try ids.prefix(2).map { id in
                try #require(world.simulated.device(id)?.simulation).contentDigest
            }
        }

        func remove() { try? FileManager.default.removeItem(atPath: directory) }

        func digest(_ id: DeviceID) -> String? {
            world.simulated.device(id)?.simulation?.contentDigest
        }

        func state(_ id: DeviceID) -> ReportedState? { world.simulated.device(id)?.debugState }

        func spec(_ work: Work, _ image: ImageID?) throws -> JobSpec {
            let id = JobID("story")
            switch work {
            case .migrate, .cancel:
                return JobSpec(
                    id: id,
                    work: .migrate(
                        pairs: [
                            .init(source: ids[0], target: ids[2]),
                            .init(source: ids[1], target: ids[3]),
                        ],
                        discard: false
                    ),
                    switchoverMode: work == .cancel ? .manual : .auto
                )
            case .saveAndRun:
                return JobSpec(id: id, work: .save(sources: [ids[0], ids[1]], after: .run))
            case .saveAndStop:
                return JobSpec(id: id, work: .save(sources: [ids[0], ids[1]], after: .stop))
            case .restore:
                return JobSpec(
                    id: id,
                    work: .restore(
                        image: try #require(image),
                        members: [
                            .init(source: ids[0], target: ids[2]),
                            .init(source: ids[1], target: ids[3]),
                        ],
                        acceptCopy: true,
                        discard: false
                    )
                )
            }
        }
    }

    @Test(
        "every job goes back or on, no device is locked, and no content is lost",
        arguments: Work.allCases
    )
    func everyWrite(_ work: Work) async throws {
        var deaths = 0
        for write in 1..<200 {
            for isBefore in [true, false] {
                let story = try Story()
                defer { story.remove() }
                let death = Life.Death(write: write, isBefore: isBefore)
                guard try await die(story, work, death) else {
                    #expect(deaths > 8, "\(work)")
                    return
                }
                deaths += 1
                try await check(story, work, "\(work), \(isBefore ? "before" : "after") \(write)")
            }
        }
        Issue.record("the job has no end of writes")
    }

    /// Runs the job until the daemon is dead; false when it outlives the job.
    private func die(_ story: Story, _ work: Work, _ death: Life.Death) async throws -> Bool {
        let (engine, life) = try story.world.daemon(dyingAt: death)
        var image: ImageID?
        if work == .restore {
            let save = JobSpec(work: .save(sources: [story.ids[0], story.ids[1]], after: .run))
            image = try await end(of: try engine.submit(save, requestedBy: "test").job.id, engine)
                .image
        }
        life.start()
        do throws(Problem) {
            let job = try engine.submit(
                try problem { try story.spec(work, image) },
                requestedBy: "test"
            ).job
            if work == .cancel { await cancelAtTheGate(job.id, engine, life) }
            _ = try? await end(of: job.id, engine)
        } catch {
            #expect(error.code == .storeFailed)
        }
        return life.isDead
    }

    private func problem(_ body: () throws -> JobSpec) throws(Problem) -> JobSpec {
        do { return try body() } catch { throw Problem(.internalError, "\(error)") }
    }

    private func cancelAtTheGate(_ id: JobID, _ engine: Engine, _ life: Life) async {
        while let view = engine.recentJob(id), !view.job.state.isTerminal, !life.isDead {
            if view.job.phase == .awaitingSwitchover {
                _ = try? engine.cancel(id)
                return
            }
            await withCheckedContinuation { continuation in
                engine.awaitChange(of: id, after: view.job.generation, seconds: 1) {
                    continuation.resume()
                }
            }
        }
    }

    private func end(of id: JobID, _ engine: Engine) async throws -> Job {
        try await engine.view(of: id) { $0.job.state.isTerminal }.job
    }

    /// What the next daemon makes of it.
    private func check(_ story: Story, _ work: Work, _ text: String) async throws {
        let (engine, _) = try story.world.daemon()
        // One that was let go in the moment of its death had been emptied before.
        #expect(engine.recovery.lostSessions.allSatisfy { $0.content == .empty }, "\(text)")
        #expect(engine.orphans.isEmpty, "\(text)")
        guard let id = JobID("story"), (try? engine.job(id)) != nil else { return }
        let job = try await end(of: id, engine)
        let told = "\(text): \(job.state), \(job.mayRun)"
        for device in engine.devices() { #expect(device.lockedBy == nil, "\(told)") }
        let sources = story.ids.prefix(2)
        let targets = story.ids.suffix(2)
        switch job.mayRun {
        case .source:
            for (device, digest) in zip(sources, story.before) {
                #expect(story.state(device) == .known(.running), "\(told)")
                #expect(story.digest(device) == digest, "\(told)")
            }
        case .target:
            for (device, digest) in zip(targets, story.before) {
                #expect(story.state(device) == .known(.running), "\(told)")
                #expect(story.digest(device) == digest, "\(told)")
            }
            #expect(job.state == .succeeded, "\(told)")
        case .nobody:
            #expect(work == .saveAndStop || work == .restore, "\(told)")
        case .unknown: Issue.record("\(told)")
        }
        #expect(job.state.name != "indeterminate", "\(told)")
        if job.mayRun == .target, work != .restore {
            for device in sources { #expect(story.digest(device) != story.before[0], "\(told)") }
        }
        try checkImages(engine, job, work, told)
        let second = try story.world.daemon().engine
        #expect(second.recovery.unfinished.isEmpty && second.recovery.jobs.isEmpty, "\(told)")
        #expect(try second.job(id).job == job, "\(told)")
    }

    private func checkImages(
        _ engine: Engine,
        _ job: Job,
        _ work: Work,
        _ text: String
    ) throws {
        #expect(engine.recovery.sweep.missing == [], "\(text)")
        guard work == .saveAndRun || work == .saveAndStop else { return }
        let isThere = engine.images().contains { $0.job == job.id }
        #expect(isThere == (job.state == .succeeded), "\(text)")
        guard work == .saveAndStop, job.state == .succeeded else { return }
        for device in job.spec.work.sources {
            #expect(try engine.device(device).session?.stoppedImage == job.image, "\(text)")
        }
    }
}
