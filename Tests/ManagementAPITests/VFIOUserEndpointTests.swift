import APISchema
import Foundation
import Glibc
import JSONCoding
import MigrationCore
import Testing
import VFIODevices

@Suite("vfio-user devices over the API are listed, and nothing else")
struct VFIOUserEndpointTests {
    let world: EngineUnderTest
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "ferry-\(UUID().uuidString)"
        world = try EngineUnderTest(
            "mlx5:count=2,state=64KiB",
            beside: [VFIOUserBackend(try VFIOUserSocket.parse(["net0=\(path)"]))]
        )
    }

    @Test("one whose socket is missing is listed and shown with all that is known of it")
    func shown() async throws {
        let page = try await world.ask("GET", "/v1/devices", for: PageDTO<DeviceDTO>.self)
        #expect(page.items.map(\.id) == ["sim-0", "sim-1", "vfiouser-net0"])
        let device = try await world.ask(
            "GET",
            "/v1/devices/vfiouser-net0",
            for: DeviceDTO.self
        )
        #expect(device == page.items.last)
        #expect([device.backend, device.bus] == ["vfio_user", "vfio_user"])
        #expect(device.address == path)
        #expect(device.vfioUser == SocketFactsDTO(socket: "missing"))
        #expect(device.migration.kind == "unknown")
        #expect(device.migration.reason?.contains("protocol") == true)
        #expect(device.holders == nil && device.session == nil && device.driver == nil)
        let filter = "filter=vfio_user.socket%3Dmissing"
        let found = try await world.ask(
            "GET",
            "/v1/devices",
            filter,
            for: PageDTO<DeviceDTO>.self
        )
        #expect(found.items == [device])
    }

    @Test("a socket is shown with who may connect")
    func present() async throws {
        let results = unsafe [mknod(path, S_IFSOCK | 0o600, 0), chmod(path, 0o640)]
        try #require(results == [0, 0])
        defer { _ = unsafe unlink(path) }
        let world = try EngineUnderTest(
            beside: [VFIOUserBackend(try VFIOUserSocket.parse(["net0=\(path)"]))]
        )
        let device = try await world.ask(
            "GET",
            "/v1/devices/vfiouser-net0",
            for: DeviceDTO.self
        )
        let facts = try #require(device.vfioUser)
        #expect([facts.socket, facts.mode] == ["present", "0640"])
        #expect(facts.uid == getuid() && facts.gid == getgid())
    }

    @Test("sessions, probes and jobs are refused with the reason, and a check tells it too")
    func unusable() async throws {
        let jobs = [
            #"{"kind":"save","devices":[{"source":"vfiouser-net0"}]}"#,
            #"{"kind":"reset","devices":[{"source":"vfiouser-net0"}]}"#,
            #"{"kind":"migrate","devices":[{"source":"sim-0","target":"vfiouser-net0"}]}"#,
            #"{"kind":"migrate","devices":[{"source":"vfiouser-net0","target":"sim-0"}],"#
                + #""discard_target_content":true}"#,
        ]
        for (path, body) in [
            ("/v1/devices/vfiouser-net0/probe", nil),
            ("/v1/sessions", #"{"device":"vfiouser-net0"}"#),
        ] + jobs.map({ ("/v1/jobs", $0) }) {
            let told = try await problem("POST", path, body, 422)
            #expect(told.code == "not-migratable", "\(path) \(body ?? "")")
            #expect(told.device == "vfiouser-net0")
            #expect(told.detail == "vfiouser-net0 is listed only.")
            #expect(told.reasons?.first?.contains("protocol") == true)
        }
        for job in jobs {
            let check = try await world.ask(
                "POST",
                "/v1/checks",
                body: job,
                for: JobCheckDTO.self
            )
            #expect(check.problems.map(\.code) == ["not-migratable"])
        }
        #expect(try await world.ask("GET", "/v1/jobs", for: PageDTO<JobDTO>.self).items.isEmpty)
    }

    @Test("it has no driver to change")
    func unchangeable() async throws {
        for (method, action, body) in [
            ("POST", "bind", #"{"driver":"vfio-pci","force":true}"#), ("POST", "unbind", "{}"),
            ("PUT", "virtual-functions", #"{"count":2}"#),
        ] {
            let told = try await problem(
                method,
                "/v1/devices/vfiouser-net0/\(action)",
                body,
                409
            )
            #expect(told.code == "change-refused")
            #expect(told.reasons?.count == 1)
        }
    }

    private func problem(
        _ method: String,
        _ path: String,
        _ body: String?,
        _ status: Int
    ) async throws -> ProblemDTO {
        try await world.ask(method, path, body: body, for: ProblemDTO.self, status: status)
    }
}
