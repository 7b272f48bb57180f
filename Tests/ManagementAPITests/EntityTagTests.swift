import APISchema
import JobEngine
import MigrationCore
import Testing

@testable import ManagementAPI

@Suite("A reader who has it already is not sent it again")
struct EntityTagTests {
    @Test(
        "lists of tags are read as RFC 9110 writes them",
        arguments: [
            (#""a""#, [#""a""#]), (#"W/"a""#, [#"W/"a""#]),
            (#" "a" ,, W/"b,c" ,"#, [#""a""#, #"W/"b,c""#]), (#""","ä""#, [#""""#, #""ä""#]),
        ]
    )
    func lists(_ text: String, _ tags: [String]) throws {
        guard case .tags(let read)? = EntityTagList(text) else {
            Issue.record("\(text) is no list")
            return
        }
        #expect(read.map(\.description) == tags)
    }

    @Test("* is whatever there is")
    func any() { #expect(EntityTagList(" *") == .any) }

    @Test(
        "what is no list of tags is none",
        arguments: [
            "", " ", ",", "a", #""a"#, #"a""#, #""a" "b""#, #"w/"a""#, #""a b""#, #"*,"a""#,
            #"W/a"#, "\"a\u{7F}\"",
        ]
    )
    func none(_ text: String) { #expect(EntityTagList(text) == nil) }

    @Test("texts have one digest when they are the same, and pages when all of them is")
    func digests() {
        let (a, b) = (TextDigest(of: Array("a".utf8)), TextDigest(of: Array("b".utf8)))
        #expect(a == TextDigest(of: Array("a".utf8)))
        let pages = [
            TextDigest(of: [a, b], nextCursor: nil), TextDigest(of: [b, a], nextCursor: nil),
            TextDigest(of: [a], nextCursor: nil), TextDigest(of: [a, b], nextCursor: "1"),
            TextDigest(of: [a, b], nextCursor: ""), a, b,
        ]
        #expect(Set(pages).count == pages.count)
    }
}

@Suite("Every conditional GET of the API")
struct ConditionalReadTests {
    let engine: EngineUnderTest

    init() throws {
        engine = try EngineUnderTest("mlx5:count=2,state=1MiB,seed=7", "mlx5:state=1MiB,dirty=1GiB")
    }

    private func read(
        _ path: String,
        _ query: String? = nil,
        ifNoneMatch tag: String? = nil
    ) async throws -> APIResponse {
        try await engine.ask(
            "GET",
            path,
            query,
            headers: tag.map { [("if-none-match", $0)] } ?? []
        )
    }

    @Test("each has a tag, and answers who has it with 304")
    func everyOne() async throws {
        _ = try await engine.job(#"{"kind":"save","id":"s","devices":[{"source":"sim-0"}]}"#)
        let session = try #require(engine.engine.sessions().first { $0.device.text == "sim-0" })
        _ = try await engine.ask("POST", "/v1/devices/sim-0/bind", body: "{}")
        let refused = try engine.engine.audit(from: nil, newestFirst: true, limit: 1) { _ in true }
        let names = [
            "devices": "sim-0", "sessions": session.id.text, "jobs": "s", "images": "s",
            "audit": try #require(refused.records.first).record.id.text,
        ]
        for endpoint in Endpoint.allCases {
            let route = endpoint.route
            guard route.isConditional else { continue }
            let parts = route.template.description.split(separator: "/").map(String.init)
            let name = parts.count > 1 ? names[parts[1]] ?? "" : ""
            let path = "/" + parts.map { $0 == "{id}" ? name : $0 }.joined(separator: "/")
            // The list has a device that changes all the time.
            let query = endpoint == .listDevices ? "limit=2" : nil
            let shown = try await read(path, query)
            #expect(shown.status == 200, "\(path)")
            let tag = try #require(shown.header("ETag"), "\(path)")
            #expect(shown.header("Cache-Control") == "no-cache", "\(path)")
            for known in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
                let again = try await read(path, query, ifNoneMatch: known)
                #expect(again.status == 304, "\(path) \(known)")
                #expect(again.body == shown.body, "the transport keeps it back")
                #expect(again.header("ETag") == tag)
                #expect(again.header("Cache-Control") == "no-cache")
            }
            let other = try await read(path, query, ifNoneMatch: "\"x\"")
            #expect(other.status == 200, "\(path)")
            #expect(other.body == shown.body, "\(path)")
            let malformed = try await read(path, query, ifNoneMatch: "x")
            #expect(malformed.status == 400, "\(path)")
        }
    }

    @Test("a state that is over has another tag")
    func change() async throws {
        let device = try #require(await read("/v1/devices/sim-0").header("ETag"))
        let list = try #require(await read("/v1/devices", "limit=2").header("ETag"))
        let part = try #require(await read("/v1/devices/sim-0", "fields=bus").header("ETag"))
        #expect(
            try await engine.job(
                #"{"kind":"migrate","id":"m","devices":[{"source":"sim-0","target":"sim-1"}]}"#
            ).state == "succeeded"
        )
        #expect(try await read("/v1/devices/sim-0", ifNoneMatch: device).status == 200)
        #expect(try await read("/v1/devices", "limit=2", ifNoneMatch: list).status == 200)
        // What was asked for is what it was.
        #expect(try await read("/v1/devices/sim-0", "fields=bus", ifNoneMatch: part).status == 304)
        let changing = try #require(await read("/v1/devices/sim-2").header("ETag"))
        // Ends: the device writes a page every few microseconds.
        while try await read("/v1/devices/sim-2", ifNoneMatch: changing).status == 304 {}
    }

    @Test("what is missing, and what is no success, is told whatever the reader has")
    func problems() async throws {
        #expect(try await read("/v1/devices/sim-9", ifNoneMatch: "*").status == 404)
        #expect(try await read("/v1/devices", "limit=0", ifNoneMatch: "*").status == 400)
        let health = try await read("/healthz", ifNoneMatch: "*")
        #expect(health.status == 200)
        #expect(health.header("ETag") == nil)
        #expect(health.header("Cache-Control") == "no-store")
        let probed = try await engine.ask(
            "POST",
            "/v1/devices/sim-0/probe",
            headers: [("if-none-match", "*")]
        )
        #expect(probed.status == 200)
        #expect(probed.header("ETag") == nil)
    }

    @Test("several lines of a header are one list")
    func lines() async throws {
        let tag = try #require(await read("/v1/devices/sim-0").header("ETag"))
        let again = try await engine.ask(
            "GET",
            "/v1/devices/sim-0",
            headers: [("if-none-match", "\"x\""), ("if-none-match", tag)]
        )
        #expect(again.status == 304)
    }

    @Test("a long poll waits, and then compares")
    func longPoll() async throws {
        let request = """
            {"kind":"migrate","id":"m","devices":[{"source":"sim-0","target":"sim-1"}],
             "switchover":{"mode":"manual"}}
            """
        _ = try await engine.ask("POST", "/v1/jobs", body: request)
        var job = try await engine.ask("GET", "/v1/jobs/m", for: JobDTO.self)
        while job.phase != "awaiting_switchover" {
            try #require(!job.isFinished)
            job = try await engine.ask(
                "GET",
                "/v1/jobs/m",
                "after_generation=\(job.generation)&wait=30",
                for: JobDTO.self
            )
        }
        let query = "fields=generation&after_generation=\(job.generation)"
        let tag = try #require(await read("/v1/jobs/m", query).header("ETag"))
        // Nothing happens at a gate, so this ends with the wait.
        #expect(try await read("/v1/jobs/m", query + "&wait=1", ifNoneMatch: tag).status == 304)
        async let held = read("/v1/jobs/m", query + "&wait=60", ifNoneMatch: tag)
        _ = try await engine.ask("POST", "/v1/jobs/m/switchover", body: "{}")
        #expect(try await held.status == 200)
    }

    @Test("limits are changed by whoever names them among others, and strongly")
    func limits() async throws {
        let request = """
            {"kind":"migrate","id":"m","devices":[{"source":"sim-0","target":"sim-1"}],
             "switchover":{"mode":"manual"}}
            """
        _ = try await engine.ask("POST", "/v1/jobs", body: request)
        let tag = try #require(await read("/v1/jobs/m/limits").header("ETag"))
        func change(_ tags: String) async throws -> Int {
            try await engine.ask(
                "PUT",
                "/v1/jobs/m/limits",
                body: "{}",
                headers: [("if-match", tags)]
            ).status
        }
        #expect(try await change("W/\(tag)") == 412)
        #expect(try await change("\"limits-7\"") == 412)
        #expect(try await change("limits-1") == 400)
        #expect(try await change("\"limits-7\", \(tag)") == 200)
        #expect(try await change(tag) == 412)
        #expect(try await change("*") == 200)
        #expect(try await engine.ask("POST", "/v1/jobs/m/cancel").status == 202)
    }
}
