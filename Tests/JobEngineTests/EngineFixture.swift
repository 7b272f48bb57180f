import Foundation
import JobStore
import MigrationCore
import MigrationPorts
import SimulatedDevices
import StateTransfer
import Synchronization
import Testing

@testable import JobEngine

/// A whole engine over simulated devices and a real store in a directory of its own.
final class EngineFixture {
    let directory: String
    let tape = Tape()
    private let configure: (inout EngineConfiguration) -> Void
    let clock = SettableClock()
    private(set) var backend: TapedBackend
    private(set) var store: TapedStore
    private(set) var engine: Engine

    var devices: SimulatedBackend { backend.simulated }

    convenience init(_ specs: String...) throws { try self.init(specs) }

    init(
        _ specs: [String],
        _ configure: @escaping (inout EngineConfiguration) -> Void = { _ in }
    ) throws {
        self.configure = configure
        directory = NSTemporaryDirectory() + "ferry-engine-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        (engine, backend, store) = try Self.make(directory, specs, tape, clock, configure)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Begins anew on the same directory, as after the death of the daemon.
    func restart(_ specs: String...) throws {
        tape.stop()
        (engine, backend, store) = try Self.make(directory, specs, tape, clock, configure)
    }

    /// Begins anew on a copy of the directory as it was at some moment.
    static func engine(on directory: String, _ specs: String...) throws -> Engine {
        try make(directory, specs, Tape(), SettableClock()) { _ in }.engine
    }

    /// Copies what is on the disk, for an engine of its own.
    static func copy(_ directory: String, to copy: String) throws {
        try FileManager.default.copyItem(atPath: directory, toPath: copy)
    }

    /// Submits a job and waits for its end.
    func run(_ spec: JobSpec) async throws -> JobView {
        let job = try engine.submit(spec, requestedBy: "test").job
        return try await end(of: job.id)
    }

    /// Waits for the end of a job, by its changes.
    func end(of id: JobID) async throws -> JobView {
        try await view(of: id) { $0.job.state.isTerminal }
    }

    /// Waits until a job is as wanted, by its changes.
    @discardableResult
    func view(of id: JobID, where isWanted: (JobView) -> Bool) async throws -> JobView {
        try await engine.view(of: id) { view throws in
            if isWanted(view) { return true }
            try #require(!view.job.state.isTerminal, "\(view.job.state)")
            return false
        }
    }

    /// Waits until the engine has done what it was told to do in the background.
    ///
    /// Only for an engine with one command queue.
    func idle() async throws {
        let engine = engine
        #expect(engine.configuration.commandQueueCount == 1)
        let refusal: Problem? = try await awaited("the one command queue") { told in
            do throws(Problem) {
                try engine.perform { told(nil) }
            } catch {
                told(error)
            }
        }
        if let refusal { throw refusal }
    }

    func digest(_ device: String) throws -> String {
        try #require(engine.device(try id(device)).record.simulation).contentDigest
    }

    func content(_ device: String) throws -> DeviceContent? {
        try engine.device(try id(device)).session?.content
    }

    func id(_ device: String) throws -> DeviceID { try #require(DeviceID(device)) }

    private static func make(
        _ directory: String,
        _ specs: [String],
        _ tape: Tape,
        _ clock: SettableClock,
        _ configure: (inout EngineConfiguration) -> Void
    ) throws -> (engine: Engine, backend: TapedBackend, store: TapedStore) {
        let simulated = try SimulatedBackend(try specs.map { try SimulationSpec.parse($0) })
        let backend = TapedBackend(simulated, tape)
        let store = TapedStore(try SQLiteJobStore(path: directory + "/ferry.sqlite"), tape)
        var configuration = EngineConfiguration()
        configuration.abortTryLimit = 1
        // What is late on a busy machine is not what these tests are about.
        configuration.confirmationSeconds = 3600
        configure(&configuration)
        let engine = try Engine(
            configuration: configuration,
            backends: [backend],
            store: store,
            images: try ImageDirectory(path: directory + "/images"),
            clock: clock
        )
        return (engine, backend, store)
    }
}

/// The machine's time, and what a test sets it ahead by.
final class SettableClock: HostClock {
    private struct State {
        var monotonicSeconds: UInt64 = 0
        var civilSeconds: Int64 = 0
    }

    private let machine = MachineClock()
    // Guards how far it is set ahead; a leaf.
    private let state = Mutex(State())

    func monotonicNanoseconds() -> UInt64 {
        machine.monotonicNanoseconds() + state.withLock { $0.monotonicSeconds } * 1_000_000_000
    }

    func timestamp() -> Timestamp {
        let ahead = state.withLock { $0.civilSeconds } * 1000
        let now = machine.timestamp().millisecondsSinceEpoch
        return Timestamp(millisecondsSinceEpoch: now + ahead)
    }

    /// Time goes by.
    func pass(days: Double) {
        state.withLock { state in
            state.monotonicSeconds += UInt64(days * 86_400)
            state.civilSeconds += Int64(days * 86_400)
        }
    }

    /// Somebody sets the wall clock.
    func set(aheadByDays days: Int64) { state.withLock { $0.civilSeconds += days * 86_400 } }
}

extension Engine {
    /// Waits until a job is as wanted, by its changes, and for ten minutes at most.
    @discardableResult
    func view(of id: JobID, where isWanted: (JobView) throws -> Bool) async throws -> JobView {
        let deadline = ContinuousClock.now + .seconds(600)
        while true {
            let view = try job(id)
            if try isWanted(view) { return view }
            guard ContinuousClock.now < deadline else {
                let phase = view.job.phase.map { "\($0)" } ?? "no phase"
                throw Problem(.timedOut, "Job \(id) is still \(view.job.state), in \(phase).")
            }
            await withCheckedContinuation { continuation in
                awaitChange(of: id, after: view.job.generation, seconds: 10) {
                    continuation.resume()
                }
            }
        }
    }

    /// The newest jobs, up to a limit.
    func newest(_ limit: Int) throws(Problem) -> [JobView] {
        try jobs(JobWalk(limit: limit)) { _ in true }.jobs.map(\.view)
    }
}
