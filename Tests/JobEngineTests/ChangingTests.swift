import Foundation
import JobStore
import MigrationCore
import MigrationPorts
import SimulatedDevices
import StateTransfer
import Synchronization
import Testing

@testable import JobEngine

@Suite("Devices that change hands", .timeLimit(.minutes(10)))
struct ChangingTests {
    private let change = DeviceChange.unbind(driver: nil, isForced: false)

    @Test("a device with a session is busy by it, and the backend hears of nothing")
    func session() async throws {
        let fixture = try ChangingFixture()
        let problem = try await outcome(fixture.engine, "sim-0")
        #expect(problem?.code == .deviceBusy)
        #expect(problem?.facts.session == fixture.session(on: "sim-0"))
        #expect(fixture.backend.changes == [])
    }

    @Test("a device that is not there is told so")
    func missing() async throws {
        let fixture = try ChangingFixture()
        #expect(try await outcome(fixture.engine, "sim-9")?.code == .notFound)
    }

    @Test(
        "a change that the kernel keeps is answered in time, and the device is locked until it ends"
    )
    func timeout() async throws {
        let fixture = try ChangingFixture(timeoutSeconds: 1)
        try fixture.closeSessions()
        fixture.backend.holdsOn()
        let problem = try await outcome(fixture.engine, "sim-0")
        #expect(problem?.code == .timedOut)
        #expect(problem?.facts.device?.text == "sim-0")
        // Still under way: nobody else gets the device.
        let device = try #require(DeviceID("sim-0"))
        let opening = #expect(throws: Problem.self) {
            _ = try fixture.engine.openSession(device: device, joining: nil)
        }
        #expect(opening?.code == .deviceBusy)
        fixture.backend.letGo()
        try await fixture.whenFree(device)
        #expect(fixture.backend.changes == [change])
        _ = try fixture.engine.openSession(device: device, joining: nil)
    }

    @Test("more changes than the limit are refused, and there is room again when they are done")
    func overload() async throws {
        let fixture = try ChangingFixture(changeLimit: 1, timeoutSeconds: 1)
        try fixture.closeSessions()
        fixture.backend.holdsOn()
        #expect(try await outcome(fixture.engine, "sim-0")?.code == .timedOut)
        #expect(try await outcome(fixture.engine, "sim-1")?.code == .overloaded)
        fixture.backend.letGo()
        try await fixture.whenIdle()
    }

    @Test("a stop waits for the change that is being made, takes no more, and tells of it")
    func stop() async throws {
        let fixture = try ChangingFixture()
        try fixture.closeSessions()
        let engine = fixture.engine
        let backend = fixture.backend
        let device = try #require(DeviceID("sim-0"))
        try await awaitCall("the change") { told in
            backend.with { $0.onChange = { told() } }
            backend.holdsOn()
            #expect(throws: Never.self) { try engine.change(device, change, by: .test) { _ in } }
        }
        let stopped = DoneCount()
        let wasFree = DoneCount()
        try await awaitCall("the stop") { told in
            engine.stop(losing: []) { _ in
                _ = stopped.add()
                if engine.changesUnderWay().isEmpty { _ = wasFree.add() }
                told()
            }
            #expect(engine.changesUnderWay() == ["sim-0: it is being unbound"])
            let late = #expect(throws: Problem.self) {
                try engine.change(device, change, by: .test) { _ in }
            }
            #expect(late?.code == .shuttingDown)
            #expect(stopped.value == 0)
            backend.letGo()
        }
        #expect(wasFree.value == 1)
        #expect(backend.changes == [change])
        let record = try engine.audit(from: nil, newestFirst: true, limit: 1) { _ in true }
        #expect(record.records.first?.record.state == .succeeded)
    }

    @Test("a stop does not wait for ever for a change that the kernel keeps")
    func stopInVain() async throws {
        let fixture = try ChangingFixture(timeoutSeconds: 1)
        try fixture.closeSessions()
        fixture.backend.holdsOn()
        #expect(try await outcome(fixture.engine, "sim-0")?.code == .timedOut)
        try await awaitCall("the stop") { told in
            fixture.engine.stop(losing: []) { _ in told() }
        }
        #expect(fixture.engine.changesUnderWay() == ["sim-0: it is being unbound"])
        fixture.backend.letGo()
        try await fixture.whenIdle()
    }

    @Test(
        "a simulated device has no driver to change, and a parent that is none is the field's fault"
    )
    func simulated() async throws {
        let fixture = try EngineFixture("mtty")
        for session in fixture.engine.sessions() {
            _ = try fixture.engine.closeSession(session.id, discardContent: true)
        }
        #expect(try await outcome(fixture.engine, "sim-0")?.code == .changeRefused)
        let request = MediatedRequest(parent: "mtty", type: "mtty-2")
        let unmade = try await told { told throws(Problem) in
            try fixture.engine.create(request, by: .test, told)
        }
        #expect(unmade?.code == .invalidField)
        #expect(unmade?.facts.pointer == "/parent")
    }

    /// What a change came to, without the device.
    private func outcome(_ engine: Engine, _ id: String) async throws -> Problem? {
        let device = try #require(DeviceID(id))
        return try await told { told throws(Problem) in
            try engine.change(device, change, by: .test, told)
        }
    }

    private func told(
        _ begin: (@escaping Engine.Told<DeviceView>) throws(Problem) -> Void
    ) async throws -> Problem? {
        try await awaited("the change") { (told: @escaping @Sendable (Problem?) -> Void) in
            do throws(Problem) {
                try begin { result in
                    switch result {
                    case .success: told(nil)
                    case .failure(let problem): told(problem)
                    }
                }
            } catch {
                told(error)
            }
        }
    }
}

/// An engine whose devices change hands for as long as a test says.
private final class ChangingFixture {
    let directory: String
    let backend: SlowBackend
    let engine: Engine

    init(changeLimit: Int = 2, timeoutSeconds: Int = 600) throws {
        directory = NSTemporaryDirectory() + "ferry-changing-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        backend = try SlowBackend()
        var configuration = EngineConfiguration()
        configuration.bindTimeoutSeconds = timeoutSeconds
        configuration.changeLimit = changeLimit
        engine = try Engine(
            configuration: configuration,
            backends: [backend],
            store: SQLiteJobStore(path: "\(directory)/ferry.sqlite"),
            images: ImageDirectory(path: "\(directory)/images"),
            clock: MachineClock()
        )
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func closeSessions() throws {
        for session in engine.sessions() {
            _ = try engine.closeSession(session.id, discardContent: true)
        }
    }

    func session(on device: String) -> SessionID? {
        engine.sessions().first { $0.device.text == device }?.id
    }

    func whenFree(_ device: DeviceID) async throws {
        try await yielding { engine.locks.holder(of: device) == nil }
    }

    func whenIdle() async throws {
        try await yielding { (try? engine.changes.take()) != nil }
    }

    private func yielding(until isThere: () -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(600)
        while !isThere() {
            try #require(ContinuousClock.now < deadline, "the change is not over")
            await Task.yield()
        }
    }
}
