import Foundation
import JSONCoding
import JobEngine
import JobStore
import MigrationCore
import MigrationPorts
import SimulatedDevices
import StateTransfer
import Testing

@testable import ManagementAPI

/// The API over a whole engine with simulated devices, without a transport.
///
/// Every answer is held against the contract.
final class EngineUnderTest: Sendable {
    let api: ManagementAPI
    let engine: Engine
    /// What the contract allows, by operation.
    private let statuses: [String: Set<String>]
    private let directory: String

    init(
        _ specs: String...,
        configuration: EngineConfiguration = EngineConfiguration()
    ) throws {
        directory = NSTemporaryDirectory() + "ferry-api-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        engine = try Engine(
            configuration: configuration,
            backends: [SimulatedBackend(specs.map { try SimulationSpec.parse($0) })],
            store: SQLiteJobStore(path: directory + "/ferry.sqlite"),
            images: ImageDirectory(path: directory + "/images"),
            clock: MachineClock()
        )
        api = ManagementAPI(engine: engine)
        statuses = Dictionary(
            uniqueKeysWithValues: try Contract().operations.map { ($0.id, $0.statuses) }
        )
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Asks, and checks that the contract knows such an answer.
    func ask(
        _ method: String,
        _ path: String,
        _ query: String? = nil,
        body: String? = nil,
        headers: [(name: String, value: String)] = []
    ) async throws -> APIResponse {
        let request = APIRequest(
            method: method,
            rawPath: path,
            rawQuery: query,
            headers: headers + (body == nil ? [] : [("content-type", "application/json")]),
            body: Array((body ?? "").utf8),
            caller: .local(uid: 1000, pid: 1)
        )
        let response = await withCheckedContinuation { continuation in
            api.respond(to: request) { continuation.resume(returning: $0) }
        }
        let endpoint = try TargetMemo().target(of: request).endpoint
        let allowed = try #require(statuses[endpoint.rawValue])
        #expect(allowed.contains("\(response.status)"), "\(method) \(path)")
        return response
    }

    /// Asks for a document; it must hold nothing the DTO does not know.
    func ask<Document: Decodable>(
        _ method: String,
        _ path: String,
        _ query: String? = nil,
        body: String? = nil,
        for type: Document.Type,
        status: Int = 200
    ) async throws -> Document {
        let response = try await ask(method, path, query, body: body)
        #expect(response.status == status, "\(String(decoding: response.body, as: UTF8.self))")
        return try JSONReader.decode(type, from: response.body, unknownFields: .refuse)
    }
}
