import APISchema
import JSONCoding
import MigrationCore
import Testing

@testable import ManagementAPI

@Suite("Idempotency-Key, checks and deletion of jobs, as the contract says")
struct KeyedEndpointTests {
    let engine: EngineUnderTest
    private let save = #"{"kind":"save","devices":[{"source":"sim-0"}]}"#

    init() throws { engine = try EngineUnderTest("mlx5:count=3,state=64KiB", "plain") }

    private func problem(_ response: APIResponse) throws -> ProblemDTO {
        try JSONReader.decode(ProblemDTO.self, from: response.body, unknownFields: .refuse)
    }

    private func finish(_ id: String) async throws {
        var job = try await engine.ask("GET", "/v1/jobs/\(id)", for: JobDTO.self)
        while !job.isFinished {
            job = try await engine.ask(
                "GET",
                "/v1/jobs/\(id)",
                "after_generation=\(job.generation)&wait=30",
                for: JobDTO.self
            )
        }
    }

    @Test("the first status, Location and body come again, and say that they are an echo")
    func replay() async throws {
        let first = try await engine.ask("POST", "/v1/jobs", body: save, key: "abc-1")
        #expect(first.status == 202)
        #expect(first.header("Idempotency-Replayed") == nil)
        let job = try JSONReader.decode(JobDTO.self, from: first.body, unknownFields: .refuse)
        #expect(job.state == "queued")
        try await finish(job.id)
        for key in ["abc-1", #""abc-1""#] {
            let again = try await engine.ask("POST", "/v1/jobs", body: save, key: key)
            #expect(again.status == 202)
            #expect(again.header("Idempotency-Replayed") == "true")
            #expect(again.header("Location") == first.header("Location"))
            #expect(again.body == first.body)
        }
        let list = try await engine.ask("GET", "/v1/jobs", for: PageDTO<JobDTO>.self)
        #expect(list.items.map(\.id) == [job.id])
        let other = try await engine.ask("POST", "/v1/jobs", body: save + " ", key: "abc-1")
        #expect(other.status == 422)
        #expect(try problem(other).code == "idempotency-mismatch")
    }

    @Test("a session is opened once; a refusal is given anew each time")
    func sessions() async throws {
        let list = try await engine.ask("GET", "/v1/sessions", for: PageDTO<SessionDTO>.self)
        let session = try #require(list.items.first { $0.device == "sim-2" })
        let body = #"{"device":"sim-2"}"#
        let refused = try await engine.ask("POST", "/v1/sessions", body: body, key: "s")
        #expect(refused.status == 409)
        _ = try await engine.ask("DELETE", "/v1/sessions/\(session.id)", "discard_content=true")
        let opened = try await engine.ask("POST", "/v1/sessions", body: body, key: "s")
        #expect(opened.status == 201)
        let again = try await engine.ask("POST", "/v1/sessions", body: body, key: "s")
        #expect(again.status == 201)
        #expect(again.body == opened.body)
        #expect(again.header("Location") == opened.header("Location"))
        #expect(again.header("Idempotency-Replayed") == "true")
        #expect(again.header("Retry-After") == nil)
        // The same key at another path is another request.
        let job = try await engine.ask("POST", "/v1/jobs", body: save, key: "s")
        #expect(job.header("Idempotency-Replayed") == nil)
    }

    @Test(
        "a key that is not 1 to 255 visible characters is refused, by the header's name",
        arguments: [
            "", "a b", "\u{FC}", "tab\tin", #"""#, #""""#, #""open"#, #""a"b"#, #""a\b""#,
            #""a";x=1"#,
            String(repeating: "k", count: 256),
        ]
    )
    func badKey(_ key: String) async throws {
        let response = try await engine.ask("POST", "/v1/jobs", body: save, key: key)
        #expect(response.status == 400)
        #expect(try problem(response).detail.contains("Idempotency-Key"))
        let list = try await engine.ask("GET", "/v1/jobs", for: PageDTO<JobDTO>.self)
        #expect(list.items.isEmpty)
    }

    @Test("quotes are no part of a key, and what they escape is")
    func quotedKeys() throws {
        #expect(try IdempotencyKey.parse("k-1:~!") == "k-1:~!")
        #expect(try IdempotencyKey.parse(#""k-1""#) == "k-1")
        #expect(try IdempotencyKey.parse(#""a\"b\\c""#) == #"a"b\c"#)
        #expect(try IdempotencyKey.parse(#"a"b"#) == #"a"b"#)
        let longest = String(repeating: "k", count: 255)
        #expect(try IdempotencyKey.parse("\"\(longest)\"") == longest)
    }

    @Test("a check answers 200 with everything, and a malformed one as a job would")
    func checks() async throws {
        let fine = try await engine.ask("POST", "/v1/checks", body: save, for: JobCheckDTO.self)
        #expect(fine.ok)
        #expect(fine.problems.isEmpty)
        #expect(fine.stateBytes ?? 0 > 0)
        let bad = #"{"kind":"migrate","devices":[{"source":"sim-3","target":"sim-9"}]}"#
        let refused = try await engine.ask("POST", "/v1/checks", body: bad, for: JobCheckDTO.self)
        #expect(!refused.ok)
        #expect(refused.problems.map(\.code) == ["invalid-field", "not-migratable"])
        #expect(refused.problems.map(\.status) == [422, 422])
        #expect(refused.problems[0].pointer == "/devices/0/target")
        let text = #"{"kind":"save","devices":[{"source":"sim-0"}],"image":"x"}"#
        let malformed = try await engine.ask("POST", "/v1/checks", body: text)
        #expect(malformed.status == 422)
        #expect(try problem(malformed).pointer == "/image")
        #expect(try await engine.ask("POST", "/v1/checks", body: "{").status == 400)
        let list = try await engine.ask("GET", "/v1/jobs", for: PageDTO<JobDTO>.self)
        #expect(list.items.isEmpty)
    }

    @Test("an ended job is deleted, an active one is not, and its key still tells of it")
    func deletion() async throws {
        let request = """
            {"kind":"migrate","id":"m","devices":[{"source":"sim-0","target":"sim-1"}],
             "switchover":{"mode":"manual"}}
            """
        let first = try await engine.ask("POST", "/v1/jobs", body: request, key: "d")
        let active = try await engine.ask("DELETE", "/v1/jobs/m")
        #expect(active.status == 409)
        #expect(try problem(active).code == "job-unsettled")
        _ = try await engine.ask("POST", "/v1/jobs/m/cancel")
        try await finish("m")
        let deleted = try await engine.ask("DELETE", "/v1/jobs/m")
        #expect(deleted.status == 204)
        #expect(deleted.body.isEmpty)
        #expect(try await engine.ask("DELETE", "/v1/jobs/m").status == 404)
        #expect(try await engine.ask("GET", "/v1/jobs/m").status == 404)
        #expect(try await engine.ask("GET", "/v1/jobs/m/journal").status == 404)
        let again = try await engine.ask("POST", "/v1/jobs", body: request, key: "d")
        #expect(again.body == first.body)
        #expect(try await engine.ask("GET", "/v1/jobs/m").status == 404)
    }
}
