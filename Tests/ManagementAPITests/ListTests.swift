import APISchema
import JSONCoding
import JobEngine
import MigrationCore
import Testing

@testable import ManagementAPI

@Suite("The lists of a whole engine are filtered, sorted, cut and walked")
struct ListTests {
    private func world() throws -> EngineUnderTest {
        var configuration = EngineConfiguration()
        configuration.jobScanLimit = 5
        configuration.recentJobLimit = 3
        return try EngineUnderTest(
            "mlx5:count=4,state=1MiB,seed=7",
            "plain:count=2",
            configuration: configuration
        )
    }

    private func ids(
        _ list: String,
        _ query: String,
        _ world: EngineUnderTest
    ) async throws -> [String] {
        var ids: [String] = []
        var cursor: String?
        repeat {
            let response = try await world.ask(
                "GET",
                "/v1/\(list)",
                query + "&fields=id" + (cursor.map { "&cursor=\($0)" } ?? "")
            )
            try #require(
                response.status == 200,
                "\(String(decoding: response.body, as: UTF8.self))"
            )
            let page = try JSONReader.decode(
                PageDTO<Named>.self,
                from: response.body,
                unknownFields: .refuse
            )
            ids += page.items.map(\.id)
            cursor = page.nextCursor
        } while cursor != nil
        return ids
    }

    private struct Named: Hashable, Sendable, Codable {
        let id: String
    }

    @Test("devices by what they can do, sessions by their devices")
    func devicesAndSessions() async throws {
        let world = try world()
        let movable = "filter=migration.flags:pre_copy+and+not+locked_by&limit=1"
        #expect(try await ids("devices", movable, world) == ["sim-0", "sim-1", "sim-2", "sim-3"])
        let plain = "filter=migration.kind=none&sort=-id"
        #expect(try await ids("devices", plain, world) == ["sim-5", "sim-4"])
        let sorted = try await ids("sessions", "filter=status=open&sort=-device&limit=2", world)
        let devices = world.engine.sessions().sorted { $0.device > $1.device }
        #expect(sorted == devices.map(\.id.text))
        let wrong = try await world.ask("GET", "/v1/devices", "filter=bus=pci+or+bsu=pci")
        let problem = try JSONReader.decode(
            ProblemDTO.self,
            from: wrong.body,
            unknownFields: .refuse
        )
        #expect(wrong.status == 400)
        #expect(problem.code == "bad-filter")
        #expect(problem.column == 12)
    }

    @Test("jobs of a long history, a bounded number of them at a time, from either end")
    func jobs() async throws {
        let world = try world()
        for number in 10..<30 {
            _ = try await world.job(
                """
                {"kind":"reset","id":"r\(number)","devices":[{"source":"sim-\(number % 4)"}],
                 "labels":{"number":"\(number)"}}
                """
            )
        }
        let all = (10..<30).map { "r\($0)" }
        #expect(try await ids("jobs", "limit=7", world) == all.reversed())
        #expect(try await ids("jobs", "limit=7&sort=created_at", world) == all)
        #expect(try await ids("jobs", "filter=labels.number=11", world) == ["r11"])
        #expect(
            try await ids("jobs", "filter=devices.device:sim-3&sort=created_at&limit=2", world)
                == ["r11", "r15", "r19", "r23", "r27"]
        )
        #expect(try await ids("jobs", "filter=state=failed", world).isEmpty)
        #expect(
            try await ids("jobs", "filter=kind=reset+and+state=succeeded&limit=3", world)
                == all.reversed()
        )
        #expect(try await ids("jobs", "filter=kind=save+or+labels.number=29", world) == ["r29"])
        // Only so many are looked at for one page.
        let first = try await world.ask(
            "GET",
            "/v1/jobs",
            "filter=labels.number=11",
            for: PageDTO<JobDTO>.self
        )
        #expect(first.items.isEmpty)
        #expect(first.nextCursor != nil)
        for query in ["sort=state", "sort=created_at,id", "filter=progress"] {
            #expect(try await world.ask("GET", "/v1/jobs", query).status == 400, "\(query)")
        }
    }

    @Test("images go while they are walked")
    func images() async throws {
        let world = try world()
        for number in 0..<4 {
            _ = try await world.job(
                #"{"kind":"save","id":"s\#(number)","devices":[{"source":"sim-\#(number)"}]}"#
            )
        }
        let page = try await world.ask(
            "GET",
            "/v1/images",
            "limit=2",
            for: PageDTO<ImageDTO>.self
        )
        #expect(page.items.map(\.id) == ["s3", "s2"])
        let cursor = try #require(page.nextCursor)
        for name in ["s2", "s1"] {
            #expect(try await world.ask("DELETE", "/v1/images/\(name)").status == 204)
        }
        let rest = try await world.ask(
            "GET",
            "/v1/images",
            "cursor=\(cursor)",
            for: PageDTO<ImageDTO>.self
        )
        #expect(rest.items.map(\.id) == ["s0"])
        #expect(rest.nextCursor == nil)
        #expect(try await world.ask("GET", "/v1/jobs", "cursor=\(cursor)").status == 400)
    }

    @Test("a document alone is cut the same way")
    func single() async throws {
        let world = try world()
        let device = try await world.ask("GET", "/v1/devices/sim-0", "fields=bus,session")
        let session = try #require(world.engine.sessions().first { $0.device.text == "sim-0" })
        let text = #"{"id":"sim-0","bus":"simulated","session":"\#(session.id)"}"#
        #expect(String(decoding: device.body, as: UTF8.self) == text)
        let path = "/v1/sessions/\(session.id)"
        #expect(try await world.ask("GET", path, "fields=x").status == 400)
        let part = try await world.ask("GET", path, "fields=status")
        #expect(
            String(decoding: part.body, as: UTF8.self)
                == #"{"id":"\#(session.id)","status":"open"}"#
        )
    }
}
