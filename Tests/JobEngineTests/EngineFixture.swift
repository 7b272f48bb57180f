import Foundation
import JobEngine
import JobStore
import MigrationCore
import MigrationPorts
import SimulatedDevices
import StateTransfer
import Testing

/// A whole engine over simulated devices and a real store in a directory of its own.
final class EngineFixture {
    let directory: String
    private(set) var devices: SimulatedBackend
    private(set) var engine: Engine

    init(_ specs: String...) throws {
        directory = NSTemporaryDirectory() + "ferry-engine-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        (engine, devices) = try Self.make(directory, specs)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Begins anew on the same directory, as after the death of the daemon.
    func restart(_ specs: String...) throws {
        (engine, devices) = try Self.make(directory, specs)
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
    func view(of id: JobID, where isWanted: (JobView) -> Bool) async throws -> JobView {
        for _ in 0..<2000 {
            let view = try engine.job(id)
            if isWanted(view) { return view }
            try #require(!view.job.state.isTerminal, "\(view.job.state)")
            await withCheckedContinuation { continuation in
                engine.awaitChange(of: id, after: view.job.generation, seconds: 10) {
                    continuation.resume()
                }
            }
        }
        throw Problem(.timedOut, "The job did not come to what the test waits for.")
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
        _ specs: [String]
    ) throws -> (Engine, SimulatedBackend) {
        let backend = try SimulatedBackend(try specs.map { try SimulationSpec.parse($0) })
        let engine = try Engine(
            configuration: EngineConfiguration(),
            backends: [backend],
            store: try SQLiteJobStore(path: directory + "/ferry.sqlite"),
            images: try ImageDirectory(path: directory + "/images"),
            clock: MachineClock()
        )
        return (engine, backend)
    }
}
