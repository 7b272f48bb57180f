import Foundation
import JobStore
import MigrationCore
import MigrationPorts
import Synchronization
import Testing

@testable import JobEngine

@Suite("Requests with an Idempotency-Key are done once")
struct KeyedRequestTests {
    @Test("a request that is sent again has the first answer, after a restart too")
    func replay() async throws {
        let fixture = try EngineFixture("mlx5:count=4,state=64KiB")
        let first = try fixture.engine.reset("sim-0", keyed("a"))
        #expect(!first.isReplayed)
        let again = try fixture.engine.reset("sim-0", keyed("a"))
        #expect(again.isReplayed)
        #expect(again.answer == first.answer)
        #expect(try fixture.jobs().count == 1)
        _ = try await fixture.end(of: try fixture.jobs()[0])
        #expect(try fixture.engine.reset("sim-0", keyed("a")).answer == first.answer)
        try fixture.restart("mlx5:count=4,state=64KiB")
        let later = try fixture.engine.reset("sim-0", keyed("a"))
        #expect(later.isReplayed)
        #expect(later.answer == first.answer)
        #expect(try fixture.jobs().count == 1)
    }

    @Test("a key is its caller's and its path's, and stands for one body")
    func names() throws {
        let fixture = try EngineFixture("mlx5:count=4,state=64KiB")
        _ = try fixture.engine.reset("sim-0", keyed("a"))
        let problem = #expect(throws: Problem.self) {
            try fixture.engine.reset("sim-1", keyed("a", body: "other"))
        }
        #expect(problem?.code == .idempotencyMismatch)
        #expect(try !fixture.engine.reset("sim-1", keyed("a", caller: "uid:2")).isReplayed)
        #expect(try !fixture.engine.reset("sim-2", keyed("a", path: "/v1/more")).isReplayed)
        #expect(try !fixture.engine.reset("sim-3", nil).isReplayed)
        #expect(try fixture.jobs().count == 4)
    }

    @Test("a refused request is not kept")
    func refused() throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let device = try fixture.id("sim-0")
        let session = try #require(fixture.engine.device(device).session)
        _ = try fixture.engine.closeSession(session.id, discardContent: true)
        let problem = #expect(throws: Problem.self) {
            try fixture.engine.reset("sim-0", keyed("a"))
        }
        #expect(problem?.code == .noSession)
        _ = try fixture.engine.openSession(device: device, joining: nil)
        #expect(try !fixture.engine.reset("sim-0", keyed("a", body: "now another")).isReplayed)
    }

    @Test("while a request is being answered another one with its key is told so")
    func inFlight() throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let engine = fixture.engine
        let seen = Mutex<Problem?>(nil)  // What the other one was told; a leaf.
        fixture.store.observe { number in
            guard number == 1 else { return }
            do throws(Problem) {
                _ = try engine.reset("sim-1", keyed("a"))
            } catch {
                seen.withLock { $0 = error }
            }
        }
        fixture.tape.start()
        let first = try engine.reset("sim-0", keyed("a"))
        #expect(seen.withLock { $0?.code } == .idempotencyInFlight)
        #expect(seen.withLock { $0?.facts.retryAfterSeconds } == 1)
        #expect(try engine.reset("sim-0", keyed("a")).answer == first.answer)
        #expect(try fixture.jobs().count == 1)
    }

    @Test("of many at once one is done, and every other one is told to wait or has its answer")
    func crowd() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let engine = fixture.engine
        let answers = try await withThrowingTaskGroup(of: RequestAnswer?.self) { group in
            for _ in 0..<32 {
                group.addTask {
                    do throws(Problem) {
                        return try engine.reset("sim-0", keyed("a")).answer
                    } catch {
                        guard error.code == .idempotencyInFlight else { throw error }
                        return nil
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(answers.compactMap(\.self)).count == 1)
        #expect(try fixture.jobs().count == 1)
    }

    @Test("an answer goes after a day in which a daemon ran, and by no setting of the clock")
    func age() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        _ = try fixture.engine.reset("sim-0", keyed("a"))
        _ = try await fixture.end(of: try fixture.jobs()[0])
        fixture.clock.set(aheadByDays: 3650)
        #expect(try fixture.engine.reset("sim-0", keyed("a")).isReplayed)
        fixture.clock.pass(days: 0.9)
        #expect(try fixture.engine.reset("sim-0", keyed("a")).isReplayed)
        fixture.clock.pass(days: 0.2)
        #expect(try !fixture.engine.reset("sim-0", keyed("a", body: "another")).isReplayed)
        #expect(try fixture.jobs().count == 2)
    }

    @Test("when no more answers can be kept new keys are refused, and nothing is forgotten early")
    func bound() throws {
        let fixture = try EngineFixture(["mlx5:count=4,state=64KiB"]) { $0.keptAnswerLimit = 2 }
        _ = try fixture.engine.reset("sim-0", keyed("a"))
        #expect(throws: Problem.self) { try fixture.engine.reset("sim-9", keyed("refused")) }
        _ = try fixture.engine.reset("sim-1", keyed("b"))
        let problem = #expect(throws: Problem.self) {
            try fixture.engine.reset("sim-2", keyed("c"))
        }
        #expect(problem?.code == .overloaded)
        #expect(try fixture.engine.reset("sim-0", keyed("a")).isReplayed)
        #expect(try !fixture.engine.reset("sim-2", nil).isReplayed)
        fixture.clock.pass(days: 1.1)
        #expect(try !fixture.engine.reset("sim-3", keyed("c")).isReplayed)
        #expect(try fixture.store.answerCount() == 1)
    }

    @Test("an old answer that others forget at the same time gives its place back once")
    func forgottenTwice() throws {
        let fixture = try EngineFixture(["mlx5:count=4,state=64KiB"]) { $0.keptAnswerLimit = 2 }
        let engine = fixture.engine
        _ = try engine.reset("sim-0", keyed("a"))
        fixture.clock.pass(days: 1.1)
        fixture.store.observeAnswer { engine.forget() }
        #expect(try !engine.reset("sim-1", keyed("a")).isReplayed)
        _ = try engine.reset("sim-2", keyed("b"))
        #expect(try fixture.store.answerCount() == 2)
        let problem = #expect(throws: Problem.self) { try engine.reset("sim-3", keyed("c")) }
        #expect(problem?.code == .overloaded)
    }

    @Test(
        "whenever the daemon dies, the request that is sent again is done once",
        arguments: [true, false]
    )
    func deaths(isBefore: Bool) async throws {
        for write in 1..<200 {
            let directory = NSTemporaryDirectory() + "ferry-keyed-\(UUID().uuidString)"
            try FileManager.default.createDirectory(
                atPath: directory,
                withIntermediateDirectories: true
            )
            defer { try? FileManager.default.removeItem(atPath: directory) }
            let world = try MortalWorld(directory, "mlx5:count=2,state=64KiB")
            let death = Life.Death(write: write, isBefore: isBefore)
            let (first, life) = try world.daemon(dyingAt: death)
            life.start()
            let answer = try? first.reset("sim-0", keyed("a")).answer
            _ = try? await first.ended(answer)
            let (second, _) = try world.daemon()
            let again = try second.reset("sim-0", keyed("a"))
            let text = "\(isBefore ? "before" : "after") write \(write)"
            if let answer { #expect(again.answer == answer, "\(text)") }
            // Only a death before the very first write leaves something to do.
            #expect(again.isReplayed == !(write == 1 && isBefore), "\(text)")
            let jobs = try second.newest(10).map(\.job.id.text)
            #expect(jobs.map { "/v1/jobs/\($0)" } == [again.answer.location], "\(text)")
            try await second.ended(again.answer)
            if !life.isDead { return #expect(write > 3) }
        }
        Issue.record("the job has no end of writes")
    }

    @Test("a session is opened once by its key, and one that comes to nothing is no answer")
    func sessions() throws {
        let directory = NSTemporaryDirectory() + "ferry-keyed-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let world = try MortalWorld(directory, "mlx5:count=2,state=64KiB", isSpaceShared: true)
        let (engine, life) = try world.daemon()
        for session in engine.sessions() {
            _ = try engine.closeSession(session.id, discardContent: true)
        }
        let first = try engine.open("sim-0", keyed("a", path: "/v1/sessions"))
        let again = try engine.open("sim-0", keyed("a", path: "/v1/sessions"))
        #expect(again.isReplayed)
        #expect(again.answer == first.answer)
        #expect(engine.sessions().filter { $0.status == .open }.count == 1)
        world.keeper.takeNoMore()
        #expect(throws: Problem.self) {
            try engine.open("sim-1", keyed("b", path: "/v1/sessions"))
        }
        let third = #expect(throws: Problem.self) {
            try engine.open("sim-1", keyed("b", path: "/v1/sessions", body: "another"))
        }
        // Neither a replay nor a mismatch: it was tried anew.
        #expect(third?.code == .internalError)
        life.die()
        let (second, _) = try world.daemon()
        #expect(try second.open("sim-0", keyed("a", path: "/v1/sessions")).answer == first.answer)
    }
}

private func keyed(
    _ key: String,
    caller: String = "uid:1",
    path: String = "/v1/jobs",
    body: String = "{}"
) -> KeyedRequest {
    KeyedRequest(
        name: KeyedRequest.Name(caller: caller, method: "POST", path: path, key: key),
        body: Array(body.utf8)
    )
}

extension EngineFixture {
    fileprivate func jobs() throws -> [JobID] {
        try engine.newest(100).map(\.job.id)
    }
}

extension Engine {
    /// Asks for a reset of a device by its name.
    fileprivate func reset(
        _ device: String,
        _ request: KeyedRequest?
    ) throws(Problem) -> GivenAnswer {
        guard let device = DeviceID(device) else { throw Problem(.badRequest, "no name") }
        let spec = JobSpec(work: .reset(devices: [device]))
        return try submit(spec, requestedBy: "test", trace: nil, once: request) { view in
            RequestAnswer(
                status: 202,
                location: "/v1/jobs/\(view.job.id)",
                body: Array("\(view.job.state.name) \(view.job.generation)".utf8)
            )
        }
    }

    /// Opens a device by its name.
    fileprivate func open(
        _ device: String,
        _ request: KeyedRequest?
    ) throws(Problem) -> GivenAnswer {
        guard let device = DeviceID(device) else { throw Problem(.badRequest, "no name") }
        return try openSession(device: device, joining: nil, once: request) { session in
            RequestAnswer(
                status: 201,
                location: "/v1/sessions/\(session.id)",
                body: Array(session.status.rawValue.utf8)
            )
        }
    }

    /// Waits for the end of the job an answer names.
    fileprivate func ended(_ answer: RequestAnswer?) async throws {
        guard let name = answer?.location.split(separator: "/").last,
            let id = JobID(String(name))
        else { return }
        try await view(of: id) { $0.job.state.isTerminal }
    }
}
