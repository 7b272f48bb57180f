import Dispatch
import Foundation
import JSONCoding
import JobEngine
import JobStore
import MigrationCore
import MigrationPorts
import SimulatedDevices
import StateTransfer
import Synchronization
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
        beside others: [any DeviceBackend] = [],
        configure: (inout EngineConfiguration) -> Void = { _ in },
        accessLog: AccessLog? = nil
    ) throws {
        directory = NSTemporaryDirectory() + "ferry-api-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        var configuration = EngineConfiguration()
        // None that a test does not ask for.
        configuration.eventHeartbeatMilliseconds = 3_600_000
        configure(&configuration)
        engine = try Engine(
            configuration: configuration,
            backends: others + [SimulatedBackend(specs.map { try SimulationSpec.parse($0) })],
            store: SQLiteJobStore(path: directory + "/ferry.sqlite"),
            images: ImageDirectory(path: directory + "/images"),
            clock: MachineClock()
        )
        api = ManagementAPI(engine: engine, accessLog: accessLog)
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
        headers: [(name: String, value: String)] = [],
        key: String? = nil
    ) async throws -> APIResponse {
        let keyed = key.map { [(name: "idempotency-key", value: $0)] } ?? []
        let response = await answer(method, path, query, headers: headers + keyed, body: body)
        let endpoint = try RoutedTarget(method, path, query).endpoint
        let allowed = try #require(statuses[endpoint.rawValue])
        #expect(allowed.contains("\(response.status)"), "\(method) \(path)")
        return response
    }

    /// Asks, whatever comes of it.
    func answer(
        _ method: String,
        _ path: String,
        _ query: String? = nil,
        headers: [(name: String, value: String)] = [],
        body: String? = nil
    ) async -> APIResponse {
        let type = body == nil ? [] : [(name: "content-type", value: "application/json")]
        let request = APIRequest(
            method: method,
            rawPath: path,
            rawQuery: query,
            headers: type + headers,
            body: Array((body ?? "").utf8),
            caller: .local(uid: 1000, pid: 1)
        )
        return await answer(to: request)
    }

    /// A request that is not answered within ten minutes is answered with status 0, so that its
    /// test fails and does not wait for ever.
    func answer(to request: APIRequest) async -> APIResponse {
        await withCheckedContinuation { continuation in
            let asker = Asker(continuation)
            Asker.lateness.asyncAfter(deadline: .now() + 600) {
                asker.hear(APIResponse(status: 0, headers: [], body: Array("no answer".utf8)))
            }
            api.respond(to: request) { response in
                guard asker.hear(response) else {
                    Issue.record("\(request.rawPath) was answered twice, or too late")
                    return
                }
            }
        }
    }

    /// Changes the first byte of a file below the state directory.
    func damage(_ path: String) throws {
        let file = try FileHandle(forUpdating: URL(filePath: "\(directory)/\(path)"))
        let first = try file.read(upToCount: 1)?.first ?? 0
        try file.seek(toOffset: 0)
        try file.write(contentsOf: [first ^ 1])
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

/// Who waits for an answer, and hears one.
private final class Asker: Sendable {
    static let lateness = DispatchQueue(label: "test.late")

    // Guards who waits; a leaf.
    private let waiter: Mutex<CheckedContinuation<APIResponse, Never>?>

    init(_ waiter: CheckedContinuation<APIResponse, Never>) { self.waiter = Mutex(waiter) }

    /// False when another answer was heard.
    @discardableResult
    func hear(_ response: APIResponse) -> Bool {
        let waiter = waiter.withLock { waiter in
            defer { waiter = nil }
            return waiter
        }
        waiter?.resume(returning: response)
        return waiter != nil
    }
}
