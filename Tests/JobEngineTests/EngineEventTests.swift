import MigrationCore
import MigrationPorts
import Testing

@testable import JobEngine

@Suite("What an engine tells while it works", .timeLimit(.minutes(10)))
struct EngineEventTests {
    @Test("every generation of a job has an event, and whoever reads on hearing of it sees it")
    func job() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let engine = fixture.engine
        let subscription = try engine.events.subscribe(from: .now)
        guard case .ready = try await subscription.read() else {
            Issue.record("not ready")
            return
        }
        let job = try engine.submit(try fixture.migration(), requestedBy: "test").job
        var generations: [UInt64] = []
        var ended = Set<SessionID>()
        var state = ""
        while state != "succeeded" {
            guard case .event(let published) = try await subscription.read() else { continue }
            switch try #require(published.event).topic {
            case .jobChanged(let id, let generation, let name, _):
                #expect(id == job.id)
                #expect(try engine.job(id).job.generation >= generation)
                generations.append(generation)
                state = name
            case .sessionChanged(let id, _, let status, let content):
                let record = try engine.session(id)
                if status != "open" { ended.insert(id) }
                if ended.contains(id) {
                    #expect(record.status.rawValue == status)
                    #expect(record.content == content)
                }
            default: break
            }
        }
        let last = try engine.job(job.id).job.generation
        #expect(generations == Array((generations.first ?? 0)...last))
        #expect(generations.first.map { $0 <= job.generation } == true)
        #expect(ended.count == 1)
    }

    @Test("an image is told of when it is made, when it ran on, and when it is gone")
    func image() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let engine = fixture.engine
        let subscription = try engine.events.subscribe(from: .now)
        let (source, target) = (try fixture.id("sim-0"), try fixture.id("sim-1"))
        let saved = try await fixture.run(JobSpec(work: .save(sources: [source], after: .stop)))
        let image = try #require(saved.job.image)
        #expect(try !engine.image(image).sourceResumed)
        let member = JobSpec.RestoreMember(source: nil, target: target)
        let work = JobSpec.Work.restore(
            image: image,
            members: [member],
            acceptCopy: false,
            discard: true
        )
        #expect(try await fixture.run(JobSpec(work: work)).job.state == .succeeded)
        try engine.deleteImage(image)
        var told: [Bool] = []
        while told.last != false {
            guard case .event(let published) = try await subscription.read() else { continue }
            guard case .imageChanged(image, let exists)? = published.event?.topic else { continue }
            told.append(exists)
        }
        #expect(told == [true, true, false])
    }

    @Test("an engine that stops tells of the sessions it closes, and then ends the stream")
    func stop() async throws {
        let fixture = try EngineFixture("mlx5:count=1,state=64KiB")
        let engine = fixture.engine
        let subscription = try engine.events.subscribe(from: .now)
        #expect(try await subscription.read().words.hasPrefix("ready"))
        try await awaitCall("the stop") { told in engine.stop(losing: []) { _ in told() } }
        engine.endWaits()
        var statuses: [String] = []
        while true {
            let read = try await subscription.read()
            if case .end = read { break }
            guard case .event(let published) = read else { continue }
            guard case .sessionChanged(_, _, let status, _)? = published.event?.topic else {
                continue
            }
            statuses.append(status)
        }
        #expect(statuses == ["closed"])
    }
}
