import APISchema
import JobEngine
import MigrationCore
import Testing

@testable import ManagementAPI

@Suite("The audit over the API")
struct AuditEndpointTests {
    let world: EngineUnderTest

    init() throws {
        world = try EngineUnderTest("plain:count=1") { $0.auditScanLimit = 200 }
        for session in world.engine.sessions() {
            _ = try world.engine.closeSession(session.id, discardContent: true)
        }
    }

    private func list(_ query: String? = nil) async throws -> PageDTO<AuditRecordDTO> {
        try await world.ask("GET", "/v1/audit", query, for: PageDTO<AuditRecordDTO>.self)
    }

    private func change(_ action: String, _ body: String = "{}", name: String? = nil) async throws {
        let headers = name.map { [(name: "x-request-id", value: $0)] } ?? []
        _ = try await world.ask("POST", "/v1/devices/\(action)", body: body, headers: headers)
    }

    @Test("a refused change is there with who asked, by which request, and why not")
    func refusal() async throws {
        #expect(try await list() == PageDTO(items: [], nextCursor: nil))
        try await change("sim-0/bind", #"{"driver":"vfio-pci","force":true}"#, name: "mine-1")
        let record = try #require(try await list().items.first)
        #expect(record.action == "device.bind")
        #expect(record.subject == "sim-0")
        #expect(record.state == "refused")
        #expect(record.forced)
        #expect(record.requestedBy == "uid:1000")
        #expect(record.requestId == "mine-1")
        #expect(record.wanted?.driver == "vfio-pci")
        #expect(record.finishedAt != nil)
        #expect(record.undone == nil)
        #expect(record.error?.code == "change-refused")
        #expect(record.error?.instance == "/v1/audit/\(record.id)")
        let path = "/v1/audit/\(record.id)"
        #expect(try await world.ask("GET", path, for: AuditRecordDTO.self) == record)
        let part = try await world.ask("GET", path, "fields=state")
        #expect(
            String(decoding: part.body, as: UTF8.self)
                == #"{"id":"\#(record.id)","state":"refused"}"#
        )
    }

    @Test("the name of a request that its client gave none is that of its answer")
    func requestName() async throws {
        let answer = try await world.ask("POST", "/v1/devices/sim-0/unbind", body: "{}")
        let name = answer.headers.first { $0.name == "X-Request-Id" }?.value
        #expect(name != nil)
        #expect(try await list().items.first?.requestId == name)
    }

    @Test("what is not there, a session in the way, and each mdev's refusal are there too")
    func everyRefusal() async throws {
        try await change("gone/unbind")
        let parent = #"{"parent":"mtty","type":"mtty-2"}"#
        _ = try await world.ask("POST", "/v1/mdevs", body: parent)
        _ = try await world.ask("DELETE", "/v1/mdevs/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001")
        let count = #"{"count":2}"#
        _ = try await world.ask("PUT", "/v1/devices/sim-0/virtual-functions", body: count)
        let device = try #require(DeviceID("sim-0"))
        _ = try world.engine.openSession(device: device, joining: nil)
        try await change("sim-0/bind")
        let told = try await list().items
        #expect(
            told.map(\.action) == [
                "device.bind", "device.virtual_functions", "mdev.remove", "mdev.create",
                "device.unbind",
            ]
        )
        #expect(
            told.map { $0.error?.code } == [
                "device-busy", "change-refused", "not-found", "invalid-field", "not-found",
            ]
        )
        #expect(Set(told.map(\.state)) == ["refused"])
        #expect(told[2].subject == "mdev-83b8f4f2-509f-382f-3c1e-e6bfe0fa1001")
        #expect(told[3].wanted?.type == "mtty-2")
    }

    @Test("a request that cannot be read is no change")
    func unreadable() async throws {
        try await change("sim-0/bind", #"{"now":true}"#)
        #expect(try await list().items == [])
    }

    @Test("a name that nothing can have is told by its field, and is not kept")
    func names() async throws {
        let long = String(repeating: "a", count: 65)
        let longer = String(repeating: "a", count: 256)
        for (method, path, body, pointer) in [
            ("POST", "/v1/devices/sim-0/bind", #"{"driver":"\#(long)"}"#, "/driver"),
            ("POST", "/v1/devices/sim-0/bind", #"{"driver":""}"#, "/driver"),
            ("POST", "/v1/devices/sim-0/unbind", #"{"driver":"../x"}"#, "/driver"),
            ("POST", "/v1/mdevs", #"{"parent":"\#(longer)","type":"a"}"#, "/parent"),
            ("POST", "/v1/mdevs", #"{"parent":"a","type":"\#(longer)"}"#, "/type"),
            ("POST", "/v1/mdevs", #"{"parent":"a","type":"a/b"}"#, "/type"),
        ] {
            let told = try await world.ask(
                method,
                path,
                body: body,
                for: ProblemDTO.self,
                status: 422
            )
            #expect(told.code == "invalid-field")
            #expect(told.pointer == pointer)
        }
        #expect(try await list().items == [])
        // As long as they may be.
        try await change("sim-0/bind", #"{"driver":"\#(long.dropLast())"}"#)
        let parent = longer.dropLast()
        _ = try await world.ask("POST", "/v1/mdevs", body: #"{"parent":"\#(parent)","type":"b"}"#)
        #expect(try await list().items.map(\.error?.code) == ["invalid-field", "change-refused"])
    }

    @Test("it is filtered, walked page by page both ways, and tells of a cursor that is none")
    func walks() async throws {
        for number in 0..<5 {
            try await change("sim-0/\(number % 2 == 0 ? "bind" : "unbind")", name: "r-\(number)")
        }
        let binds = try await list("filter=action=device.bind%20and%20subject=sim-0")
        #expect(binds.items.map(\.requestId) == ["r-4", "r-2", "r-0"])
        var names: [String?] = []
        var cursor: String?
        repeat {
            let query = "limit=2&sort=started_at" + (cursor.map { "&cursor=\($0)" } ?? "")
            let page = try await list(query)
            names += page.items.map(\.requestId)
            cursor = page.nextCursor
        } while cursor != nil
        #expect(names == (0..<5).map { "r-\($0)" })
        let first = try await list("limit=1")
        let foreign = try #require(first.nextCursor)
        let query = "sort=started_at&cursor=\(foreign)"
        #expect(try await world.ask("GET", "/v1/audit", query).status == 400)
        #expect(try await world.ask("GET", "/v1/audit", "sort=subject").status == 400)
        #expect(try await world.ask("GET", "/v1/audit/none").status == 404)
    }
}
