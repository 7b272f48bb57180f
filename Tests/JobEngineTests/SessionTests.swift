import JobEngine
import MigrationCore
import MigrationPorts
import SystemIO
import Testing

@Suite("Sessions")
struct SessionTests {
    private func closed(_ fixture: EngineFixture) throws -> DeviceID {
        let device = try fixture.id("sim-0")
        let session = try #require(fixture.engine.device(device).session)
        _ = try fixture.engine.closeSession(session.id, discardContent: false)
        return device
    }

    private func problem(_ body: () throws(Problem) -> Void) throws -> Problem {
        do throws(Problem) {
            try body()
        } catch {
            return error
        }
        throw Problem(.internalError, "Nothing was refused.")
    }

    @Test("an opened device is empty, and open once")
    func open() throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let device = try closed(fixture)
        let session = try fixture.engine.openSession(device: device, joining: nil)
        #expect(session.content == .empty)
        #expect(session.origin == .opened)
        let again = try problem { () throws(Problem) in
            _ = try fixture.engine.openSession(device: device, joining: nil)
        }
        #expect(again.code == .sessionExists)
        #expect(again.facts.session == session.id)
        let missing = try fixture.id("sim-9")
        let unknown = try problem { () throws(Problem) in
            _ = try fixture.engine.openSession(device: missing, joining: nil)
        }
        #expect(unknown.code == .invalidField)
        _ = try fixture.engine.closeSession(session.id, discardContent: false)
        let alone = try problem { () throws(Problem) in
            _ = try fixture.engine.openSession(device: device, joining: session.id)
        }
        #expect(alone.code == .invalidField)
        #expect(alone.facts.pointer == "/joins")
        #expect(try fixture.engine.device(device).session == nil)
    }

    @Test("a session that shares a file with another one is in its address space, asked or not")
    func sharedFile() throws {
        let fixture = try EngineFixture("mlx5:count=3,state=64KiB")
        for name in ["sim-0", "sim-1", "sim-2"] {
            let session = try #require(fixture.engine.device(try fixture.id(name)).session)
            _ = try fixture.engine.closeSession(session.id, discardContent: true)
        }
        let alone = try fixture.engine.openSession(device: try fixture.id("sim-0"), joining: nil)
        #expect(alone.joins == nil)
        let second = try fixture.engine.openSession(device: try fixture.id("sim-1"), joining: nil)
        #expect(second.joins == nil)
        _ = try fixture.engine.closeSession(alone.id, discardContent: true)
        let file = try FileDescriptor(opening: "/dev/null", 0)
        fixture.backend.share(KeptFile(name: "group", file: SharedDescriptor(file)))
        let third = try fixture.engine.openSession(device: try fixture.id("sim-2"), joining: nil)
        #expect(third.joins == second.id)
    }

    @Test("content is discarded only on demand, unless a seed can make it again")
    func close() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        _ = try await fixture.run(try fixture.migration())
        let device = try fixture.id("sim-1")
        let session = try #require(fixture.engine.device(device).session)
        let refused = try problem { () throws(Problem) in
            _ = try fixture.engine.closeSession(session.id, discardContent: false)
        }
        #expect(refused.code == .sessionHasContent)
        #expect(refused.facts.content == .loaded)
        #expect(refused.facts.session == session.id)
        let ended = try fixture.engine.closeSession(session.id, discardContent: true)
        #expect(ended.status == .closed)
        #expect(ended.content == .lost)
        // Closing what is closed says so again, and lists it once.
        #expect(try fixture.engine.closeSession(session.id, discardContent: false) == ended)
        #expect(fixture.engine.sessions().filter { $0.id == session.id } == [ended])
    }

    @Test("a store that does not take the end of a session leaves it open and whole")
    func closeWithoutStore() throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let before = try fixture.digest("sim-0")
        let device = try fixture.id("sim-0")
        let session = try #require(fixture.engine.device(device).session)
        fixture.store.plan(.at(1))
        fixture.tape.start()
        let failed = try problem { () throws(Problem) in
            _ = try fixture.engine.closeSession(session.id, discardContent: true)
        }
        #expect(failed.code == .storeFailed)
        #expect(try fixture.engine.device(device).session == session)
        #expect(try fixture.digest("sim-0") == before)
        #expect(try fixture.engine.closeSession(session.id, discardContent: true).status == .closed)
    }

    @Test("a store that does not take a new session leaves the device closed")
    func openWithoutStore() throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let device = try closed(fixture)
        fixture.store.plan(.at(1))
        fixture.tape.start()
        let failed = try problem { () throws(Problem) in
            _ = try fixture.engine.openSession(device: device, joining: nil)
        }
        #expect(failed.code == .storeFailed)
        #expect(try #require(fixture.backend.session("sim-0")).isClosed)
        #expect(try fixture.engine.openSession(device: device, joining: nil).content == .empty)
    }

    @Test("an indeterminate job's devices are free again when their sessions are given up")
    func afterIndeterminate() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        fixture.store.plan(.decision)
        fixture.tape.start()
        let view = try await fixture.run(try fixture.migration())
        fixture.tape.stop()
        #expect(view.job.state.name == "indeterminate")
        for name in ["sim-0", "sim-1"] {
            let device = try fixture.id(name)
            #expect(try fixture.engine.device(device).lockedBy == view.job.id)
            let session = try #require(fixture.engine.device(device).session)
            if name == "sim-1" {
                let kept = try problem { () throws(Problem) in
                    _ = try fixture.engine.closeSession(session.id, discardContent: false)
                }
                #expect(kept.code == .sessionHasContent)
                #expect(try fixture.engine.device(device).lockedBy == view.job.id)
            }
            _ = try fixture.engine.closeSession(session.id, discardContent: true)
            #expect(try fixture.engine.device(device).lockedBy == nil)
            let next = try fixture.engine.openSession(device: device, joining: nil)
            #expect(next.content == .empty)
        }
    }

    @Test("a probe needs no session and disturbs none")
    func probe() throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let before = try fixture.digest("sim-0")
        let open = try fixture.engine.probe(try fixture.id("sim-0"))
        #expect(open.record.support.kind == "state_stream")
        #expect(try fixture.digest("sim-0") == before)
        let device = try closed(fixture)
        #expect(try fixture.engine.probe(device).session == nil)
        let missing = try fixture.id("sim-9")
        let unknown = try problem { () throws(Problem) in
            _ = try fixture.engine.probe(missing)
        }
        #expect(unknown.code == .notFound)
    }
}
