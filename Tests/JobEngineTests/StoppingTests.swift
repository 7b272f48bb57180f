import Dispatch
import Foundation
import JobStore
import MigrationCore
import MigrationPorts
import SimulatedDevices
import StateTransfer
import Testing

@testable import JobEngine

@Suite("Stopping with content, and what the host's devices ask")
final class StoppingTests: Sendable {
    private let directory = NSTemporaryDirectory() + "ferry-stopping-\(UUID().uuidString)"

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    @Test("a stop that would lose content nobody gave up keeps it and takes work again")
    func keepsContent() async throws {
        let engine = try engine(on: try HostBackend("mtty:count=1"))
        let session = try #require(engine.sessions().first)
        #expect(try await stop(engine, losing: []) == [session.id])
        #expect(try engine.session(session.id).status == .open)
        #expect(engine.readiness().isReady)
        #expect(try await stop(engine, losing: [session.id]) == [])
        #expect(try engine.session(session.id).status == .closed)
        #expect(try engine.session(session.id).content == .lost)
    }

    @Test(
        "a device left in the middle of a transfer is not taken over",
        arguments: [
            DeviceState.preCopy, .stopCopy, .resuming,
        ]
    )
    func refusesStreams(_ state: DeviceState) throws {
        let backend = try HostBackend("mtty:count=1", left: state)
        let engine = try engine(on: backend)
        let refusal = try #require(engine.problemsAtStart.first)
        #expect(refusal.code == .incompatible)
        #expect(refusal.facts.reasons == ["The device is in \(state.kernelName)."])
        #expect(engine.sessions().isEmpty)
    }

    @Test("a device that was stopped for an image is not given out, and stays free")
    func stoppedForImage() async throws {
        let fixture = try EngineFixture("mtty:count=1")
        let view = try await fixture.run(
            JobSpec(work: .save(sources: [try fixture.id("sim-0")], after: .stop))
        )
        let image = try #require(view.job.image)
        let session = try #require(fixture.engine.sessions().first)
        for _ in 0..<2 {
            let refusal = #expect(throws: Problem.self) {
                _ = try fixture.engine.beginCollection(of: session.id)
            }
            #expect(refusal?.code == .copyNotAccepted)
            #expect(refusal?.facts.image == image)
        }
        // Nothing ran of it, so that without it the device has the only content again.
        try fixture.engine.deleteImage(image)
        let refusal = #expect(throws: Problem.self) {
            let collection = try fixture.engine.beginCollection(of: session.id)
            defer { fixture.engine.abandon(collection) }
            _ = try fixture.engine.descriptors(for: collection)
        }
        #expect(refusal?.code == .incompatible)
    }

    @Test("a confirmation the store does not take can be made again")
    func confirmAgain() throws {
        let fixture = try EngineFixture("mtty:count=1")
        let session = try #require(fixture.engine.sessions().first)
        let collection = try fixture.engine.beginCollection(of: session.id)
        fixture.tape.start()
        fixture.store.plan(.at(1))
        #expect(throws: Problem.self) { try fixture.engine.confirm(collection) }
        #expect(try fixture.engine.session(session.id).status == .open)
        try fixture.engine.confirm(collection)
        #expect(try fixture.engine.session(session.id).status == .collected)
        #expect(fixture.engine.locks.holder(of: session.device) == nil)
    }

    @Test("a store that is gone holds up no cancel")
    func cancelWithoutStore() async throws {
        let fixture = try EngineFixture("mtty:count=2")
        let job = try fixture.engine.submit(try fixture.migration(.manual), requestedBy: "test")
        _ = try await fixture.view(of: job.job.id) { $0.job.phase == .awaitingSwitchover }
        fixture.tape.start()
        fixture.store.plan(.from(1))
        _ = try fixture.engine.cancel(job.job.id)
        let view = try await fixture.end(of: job.job.id)
        #expect(view.job.state == .cancelled)
        #expect(view.job.mayRun == .source)
        #expect(Set(view.job.warnings).count == view.job.warnings.count)
    }

    @Test("a restore whose time is over while its image is verified has timed out")
    func timeoutInVerification() async throws {
        let fixture = try EngineFixture("mtty:count=2,state=32MiB")
        let save = try await fixture.run(
            JobSpec(work: .save(sources: [try fixture.id("sim-0")], after: .run))
        )
        var spec = try fixture.restore(try #require(save.job.image))
        spec.limits.completionTimeoutSeconds = 0
        let view = try await fixture.run(spec)
        #expect(view.job.state.problem?.code == .timedOut)
    }

    @Test("an error the device signals is told in its session")
    func errorSignal() async throws {
        let fixture = try EngineFixture("mtty:count=1")
        let session = try #require(fixture.engine.sessions().first)
        fixture.tape.start()
        try await awaitCall("the note") { told in
            fixture.store.observe { number in if number == 1 { told() } }
            fixture.devices.simulateSignal(.errorSignalled, on: session.device)
        }
        #expect(try fixture.engine.session(session.id).note?.contains("unrecoverable") == true)
        #expect(try fixture.engine.session(session.id).status == .open)
    }

    @Test("work behind a call that hangs is done by another thread", .timeLimit(.minutes(10)))
    func hangingCall() async throws {
        let pool = CommandPool(queueCount: 2, pendingLimit: 8)
        let hanging = DispatchSemaphore(value: 0)
        let short = DispatchSemaphore(value: 0)
        try pool.perform { #expect(hanging.wait(timeout: .now() + 600) == .success) }
        try pool.perform { #expect(short.wait(timeout: .now() + 600) == .success) }
        try await awaitCall("the free thread") { told in
            // Waits, for both threads are taken; then the second one is free.
            #expect(throws: Never.self) { try pool.perform { told() } }
            short.signal()
        }
        hanging.signal()
    }

    private func engine(on backend: HostBackend) throws -> Engine {
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        return try Engine(
            configuration: EngineConfiguration(),
            backends: [backend],
            store: try SQLiteJobStore(path: directory + "/ferry.sqlite"),
            images: try ImageDirectory(path: directory + "/images"),
            clock: MachineClock()
        )
    }

    private func stop(
        _ engine: Engine,
        losing accepted: Set<SessionID>
    ) async throws -> [SessionID] {
        try await awaited("the stop") { told in
            engine.stop(losing: accepted) { kept in told(kept.map(\.id)) }
        }
    }
}
