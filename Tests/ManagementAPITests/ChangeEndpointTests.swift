import APISchema
import JobEngine
import ManagementAPI
import MigrationCore
import Testing

@Suite("Changes of devices over the API")
struct ChangeEndpointTests {
    let engine: EngineUnderTest

    init() throws { engine = try EngineUnderTest("plain:count=1") }

    private func problem(
        _ method: String,
        _ path: String,
        _ body: String?,
        _ status: Int
    ) async throws -> ProblemDTO {
        try await engine.ask(method, path, body: body, for: ProblemDTO.self, status: status)
    }

    @Test("a device with a session is busy by it, and a simulated one is refused with the reason")
    func refusals() async throws {
        let session = try #require(engine.engine.sessions().first).id
        for action in ["bind", "unbind"] {
            let path = "/v1/devices/sim-0/\(action)"
            #expect(try await problem("POST", path, "{}", 409).session == session.text)
        }
        _ = try engine.engine.closeSession(session, discardContent: true)
        for (method, action, body) in [
            ("POST", "bind", #"{"driver":"vfio-pci"}"#), ("POST", "unbind", "{}"),
            ("PUT", "virtual-functions", #"{"count":2}"#),
        ] {
            let told = try await problem(method, "/v1/devices/sim-0/\(action)", body, 409)
            #expect(told.code == "change-refused")
            #expect(told.device == "sim-0")
            #expect(told.reasons?.count == 1)
        }
    }

    @Test("what is not there is not found, and a body that is wrong is told by its field")
    func fields() async throws {
        #expect(try await problem("POST", "/v1/devices/no/bind", "{}", 404).code == "not-found")
        #expect(try await problem("DELETE", "/v1/mdevs/no", nil, 404).code == "not-found")
        let count = try await problem("PUT", "/v1/devices/sim-0/virtual-functions", "{}", 422)
        #expect(count.code == "invalid-field")
        let unknown = try await problem("POST", "/v1/devices/sim-0/bind", #"{"now":true}"#, 400)
        #expect(unknown.code == "unknown-field")
        let parent = #"{"parent":"mtty","type":"mtty-2"}"#
        #expect(try await problem("POST", "/v1/mdevs", parent, 422).pointer == "/parent")
        let uuid = #"{"parent":"mtty","type":"mtty-2","uuid":"../x"}"#
        #expect(try await problem("POST", "/v1/mdevs", uuid, 422).pointer == "/uuid")
    }

    @Test("a host without parents of mediated devices has an empty list of types")
    func types() async throws {
        let page = try await engine.ask(
            "GET",
            "/v1/mdev-types",
            for: PageDTO<MediatedTypeDTO>.self
        )
        #expect(page == PageDTO(items: [], nextCursor: nil))
    }
}
