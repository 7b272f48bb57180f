import JobEngine
import MigrationCore
import MigrationPorts
import Testing

@Suite("What the kernel asks of the holder of a device")
struct SignalTests {
    private func fixture(_ specs: String...) throws -> EngineFixture {
        try EngineFixture(specs) {
            $0.workerCount = 1
            $0.commandQueueCount = 1
        }
    }

    private func alerts(_ fixture: EngineFixture) -> [String] {
        fixture.tape.entries.flatMap { entry -> [String] in
            guard case .wrote(let change, _) = entry else { return [] }
            return change.events.compactMap { event in
                guard case .deviceAlert(let device, let text) = event.topic else { return nil }
                return "\(device) \(text)"
            }
        }
    }

    @Test("an idle device that is asked back is closed, and its content is called lost")
    func unplugIdle() async throws {
        let fixture = try fixture("mlx5:count=2,state=64KiB")
        fixture.tape.start()
        let record = try #require(fixture.engine.device(try fixture.id("sim-0")).session)
        let session = try #require(fixture.backend.session("sim-0"))
        session.signal(.unplugRequested)
        try await fixture.idle()
        #expect(session.isClosed)
        let ended = try fixture.engine.session(record.id)
        #expect(ended.status == .lost)
        #expect(ended.content == .lost)
        #expect(try fixture.engine.device(record.device).session == nil)
        #expect(alerts(fixture) == ["sim-0 unplug_requested"])
        // A signal that comes once more finds nothing to do.
        session.signal(.unplugRequested)
        try await fixture.idle()
        #expect(try fixture.engine.session(record.id) == ended)
    }

    @Test("an idle device that is asked back is let go even when the store is gone")
    func unplugWithoutStore() async throws {
        let fixture = try fixture("mlx5:count=2,state=64KiB")
        let session = try #require(fixture.backend.session("sim-0"))
        fixture.store.plan(.from(1))
        fixture.tape.start()
        session.signal(.unplugRequested)
        try await fixture.idle()
        #expect(session.isClosed)
        #expect(try fixture.engine.device(try fixture.id("sim-0")).session == nil)
    }

    @Test("an error signalled on an idle device is told, and no more")
    func errorIdle() async throws {
        let fixture = try fixture("mlx5:count=2,state=64KiB")
        fixture.tape.start()
        try #require(fixture.backend.session("sim-0")).signal(.errorSignalled)
        try await fixture.idle()
        #expect(try fixture.content("sim-0") == .live)
        #expect(alerts(fixture) == ["sim-0 error_signalled"])
    }

    @Test("before the commit a job makes way, and then the device", arguments: ["sim-0", "sim-1"])
    func unplugBeforeCommit(_ device: String) async throws {
        let fixture = try fixture("mtty:count=2")
        let before = try fixture.digest("sim-0")
        let job = try fixture.engine.submit(try fixture.migration(.manual), requestedBy: "test")
        _ = try await fixture.view(of: job.job.id) { $0.job.phase == .awaitingSwitchover }
        let session = try #require(fixture.backend.session(device))
        fixture.tape.start()
        session.signal(.unplugRequested)
        let view = try await fixture.end(of: job.job.id)
        #expect(view.job.state.problem?.code == .unplugRequested)
        #expect(view.job.state.problem?.facts.device?.text == device)
        #expect(view.job.mayRun == .source)
        #expect(alerts(fixture) == ["\(device) unplug_requested"])
        try await fixture.idle()
        #expect(session.isClosed)
        #expect(try fixture.engine.device(try fixture.id(device)).session == nil)
        guard device == "sim-1" else { return }
        #expect(try fixture.content("sim-0") == .live)
        #expect(try fixture.digest("sim-0") == before)
    }

    @Test("a job that is on its way back already lets the device go at its end")
    func unplugOnTheWayBack() async throws {
        let fixture = try fixture("mtty:count=2")
        let job = try fixture.engine.submit(try fixture.migration(.manual), requestedBy: "test")
        _ = try await fixture.view(of: job.job.id) { $0.job.phase == .awaitingSwitchover }
        let session = try #require(fixture.backend.session("sim-0"))
        fixture.backend.observe { device, state in
            if device.text == "sim-0", state == .running { session.signal(.unplugRequested) }
        }
        _ = try fixture.engine.cancel(job.job.id)
        let view = try await fixture.end(of: job.job.id)
        #expect(view.job.state == .cancelled)
        try await fixture.idle()
        #expect(session.isClosed)
    }

    @Test("behind the commit there is only the alert", arguments: ["sim-0", "sim-1"])
    func unplugAfterCommit(_ device: String) async throws {
        let fixture = try fixture("mlx5:count=2,state=64KiB")
        let before = try fixture.digest("sim-0")
        let session = try #require(fixture.backend.session(device))
        fixture.backend.observe { set, state in
            if set.text == "sim-1", state == .running { session.signal(.unplugRequested) }
        }
        fixture.tape.start()
        let view = try await fixture.run(try fixture.migration())
        #expect(view.job.state == .succeeded)
        #expect(alerts(fixture) == ["\(device) unplug_requested"])
        try await fixture.idle()
        #expect(try fixture.content("sim-1") == .loaded)
        #expect(try fixture.digest("sim-1") == before)
    }

    @Test("an error signalled before the commit fails the job and keeps the session")
    func errorBeforeCommit() async throws {
        let fixture = try fixture("mtty:count=2")
        let before = try fixture.digest("sim-0")
        let job = try fixture.engine.submit(try fixture.migration(.manual), requestedBy: "test")
        _ = try await fixture.view(of: job.job.id) { $0.job.phase == .awaitingSwitchover }
        try #require(fixture.backend.session("sim-0")).signal(.errorSignalled)
        let view = try await fixture.end(of: job.job.id)
        #expect(view.job.state.problem?.code == .deviceFailed)
        try await fixture.idle()
        #expect(try fixture.content("sim-0") == .live)
        #expect(try fixture.digest("sim-0") == before)
    }

    @Test("a job that waits for a worker makes way at once")
    func unplugWaiting() async throws {
        let fixture = try fixture("mtty:count=3")
        let first = try fixture.engine.submit(try fixture.migration(.manual), requestedBy: "test")
        _ = try await fixture.view(of: first.job.id) { $0.job.phase == .awaitingSwitchover }
        let second = try fixture.engine.submit(
            JobSpec(work: .save(sources: [try fixture.id("sim-2")], after: .run)),
            requestedBy: "test"
        )
        let session = try #require(fixture.backend.session("sim-2"))
        session.signal(.unplugRequested)
        let view = try fixture.engine.job(second.job.id)
        #expect(view.job.state.problem?.code == .unplugRequested)
        try await fixture.idle()
        #expect(session.isClosed)
        _ = try fixture.engine.cancel(first.job.id)
        #expect(try await fixture.end(of: first.job.id).job.state == .cancelled)
        #expect(try fixture.content("sim-0") == .live)
    }

    @Test("a device of an indeterminate job is not let go: its content may be the only one")
    func unplugIndeterminate() async throws {
        let fixture = try fixture("mlx5:count=2,state=64KiB")
        let before = try fixture.digest("sim-0")
        fixture.store.plan(.decision)
        fixture.tape.start()
        let view = try await fixture.run(try fixture.migration())
        #expect(view.job.state.name == "indeterminate")
        #expect(view.job.mayRun == .nobody)
        let session = try #require(fixture.backend.session("sim-0"))
        session.signal(.unplugRequested)
        try await fixture.idle()
        #expect(!session.isClosed)
        #expect(try fixture.digest("sim-0") == before)
        #expect(try fixture.engine.device(try fixture.id("sim-0")).lockedBy == view.job.id)
    }
}
