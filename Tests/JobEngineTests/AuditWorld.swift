import Foundation
import JobStore
import MigrationCore
import MigrationPorts
import StateTransfer
import SystemIO
import Testing

@testable import JobEngine

/// An engine over devices that change hands, on a directory of its own.
final class AuditWorld {
    let directory: String
    let backend: SlowBackend
    let store: TapedStore
    let engine: Engine
    let device: DeviceID
    private let tape = Tape()

    convenience init(
        isOpenAtStart: Bool = false,
        _ configure: (inout EngineConfiguration) -> Void = { _ in }
    ) throws {
        let directory = NSTemporaryDirectory() + "ferry-audit-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        let backend = try SlowBackend(isOpenAtStart: isOpenAtStart)
        for name in ["sim-0", "sim-1"] {
            let device = try #require(DeviceID(name))
            backend.with { $0.places[device] = DevicePlace(driver: "nvme") }
        }
        try self.init(directory, backend, configure)
    }

    private init(
        _ directory: String,
        _ backend: SlowBackend,
        _ configure: (inout EngineConfiguration) -> Void = { _ in }
    ) throws {
        self.directory = directory
        self.backend = backend
        device = try #require(DeviceID("sim-0"))
        store = TapedStore(try SQLiteJobStore(path: "\(directory)/ferry.sqlite"), tape)
        var configuration = EngineConfiguration()
        configuration.bindTimeoutSeconds = 600
        configure(&configuration)
        engine = try Engine(
            configuration: configuration,
            backends: [backend],
            store: store,
            images: ImageDirectory(path: "\(directory)/images"),
            clock: MachineClock()
        )
        tape.start()
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func closeSessions() throws {
        for session in engine.sessions() {
            _ = try engine.closeSession(session.id, discardContent: true)
        }
    }

    /// What a change came to.
    func change(_ change: DeviceChange, of name: String = "sim-0") async throws -> Problem? {
        let device = try #require(DeviceID(name))
        return await withCheckedContinuation { continuation in
            do throws(Problem) {
                try engine.change(device, change, by: .test) { result in
                    switch result {
                    case .success: continuation.resume(returning: nil)
                    case .failure(let problem): continuation.resume(returning: problem)
                    }
                }
            } catch {
                continuation.resume(returning: error)
            }
        }
    }

    /// Newest first.
    func records() -> [AuditRecord] {
        let stored = try? store.audit(from: nil, newestFirst: true, limit: 1000)
        return (stored ?? []).compactMap(\.record)
    }

    /// The daemon after this one, which died while the backend made a change.
    ///
    /// Its devices are others, as a test says.
    func deadIn(
        _ change: DeviceChange,
        isOpenAtStart: Bool = false,
        _ found: (inout SlowBackend.Host) -> Void
    ) async throws -> AuditWorld {
        let begun = AsyncStream<Void>.makeStream()
        backend.with { $0.onChange = { begun.continuation.yield() } }
        backend.holdsOn()
        try engine.change(device, change, by: .test) { _ in }
        for await _ in begun.stream { break }
        let copy = "\(directory)-later"
        try EngineFixture.copy(directory, to: copy)
        backend.letGo()
        let later = try SlowBackend(isOpenAtStart: isOpenAtStart)
        later.with { host in
            host.places[device] = DevicePlace(driver: "nvme")
            found(&host)
        }
        return try AuditWorld(copy, later)
    }

    /// Another daemon on the same directory.
    func again() throws -> AuditWorld {
        let copy = "\(directory)-again"
        try EngineFixture.copy(directory, to: copy)
        return try AuditWorld(copy, try SlowBackend(isOpenAtStart: false))
    }

    /// The only record, once it is settled.
    func settled() async throws -> AuditRecord {
        while try !store.unfinishedAudit().isEmpty { await Task.yield() }
        #expect(records().count == 1)
        return try #require(records().first)
    }

    func whenFree() async {
        while engine.locks.holder(of: device) != nil { await Task.yield() }
    }

    func topics() throws -> [Event.Topic] {
        try store.events(after: 0, limit: 100).compactMap(\.event?.topic)
    }

    /// What each write had to survive.
    func durabilities() -> [Durability] {
        tape.entries.compactMap {
            if case .wrote(_, let durability) = $0 { durability } else { nil }
        }
    }
}
