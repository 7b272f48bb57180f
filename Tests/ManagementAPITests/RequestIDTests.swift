import APISchema
import JSONCoding
import Synchronization
import Testing

@testable import ManagementAPI

@Suite("A request has a name, a trace and a line in the log")
struct RequestIDTests {
    static let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test("the client's name for a request is in the answer and in the problem")
    func said() async throws {
        let bench = try EngineUnderTest("mlx5")
        let fine = await bench.answer("GET", "/v1/host", headers: [("x-request-id", "a.B_9:-")])
        #expect(fine.header("X-Request-Id") == "a.B_9:-")
        let missing = await bench.answer("GET", "/nowhere", headers: [("x-request-id", "x1")])
        #expect(missing.header("X-Request-Id") == "x1")
        let problem = try JSONReader.decode(
            ProblemDTO.self,
            from: missing.body,
            unknownFields: .refuse
        )
        #expect(problem.requestId == "x1")
    }

    @Test(
        "a name that is not fit to be repeated is replaced by one of ours",
        arguments: ["", "a b", "ä", "a\"b", String(repeating: "x", count: 129), "a,b", "\u{1b}[2J"]
    )
    func unfit(_ name: String) async throws {
        let bench = try EngineUnderTest("mlx5")
        let answer = await bench.answer("GET", "/v1/host", headers: [("x-request-id", name)])
        let given = try #require(answer.header("X-Request-Id"))
        #expect(given != name && RequestID.said(given) == given)
        let next = await bench.answer("GET", "/v1/host").header("X-Request-Id")
        #expect(next != given)
    }

    @Test("an answer that requests share has a name only for the client that gave one")
    func shared() async throws {
        let bench = try EngineUnderTest("mlx5")
        let plain = await bench.answer("GET", "/v1/devices/sim-0")
        #expect(plain.form != nil && plain.header("X-Request-Id") == nil)
        let named = await bench.answer(
            "GET",
            "/v1/devices/sim-0",
            headers: [("x-request-id", "mine")]
        )
        #expect(named.form == nil && named.header("X-Request-Id") == "mine")
        #expect(named.body == plain.body)
        let again = await bench.answer("GET", "/v1/devices/sim-0")
        #expect(again.form === plain.form && again.header("X-Request-Id") == nil)
    }

    @Test("what the transport refuses has the name too")
    func refused() async throws {
        let bench = try EngineUnderTest("mlx5")
        let request = RefusedRequest(
            method: "POST",
            rawPath: "/v1/jobs",
            requestID: "r-1",
            caller: .anonymousLoopback
        )
        let answer = bench.api.refuse(.bodyTooLarge(limit: 5), request)
        #expect(answer.header("X-Request-Id") == "r-1")
        let problem = try JSONReader.decode(
            ProblemDTO.self,
            from: answer.body,
            unknownFields: .refuse
        )
        #expect(problem.requestId == "r-1")
    }

    @Test("a job keeps the trace of its request, and none that is invalid or there twice")
    func traces() async throws {
        let bench = try EngineUnderTest("mlx5:count=3")
        let cases: [([(name: String, value: String)], String?)] = [
            ([("traceparent", Self.trace)], Self.trace),
            ([("traceparent", "00-0-0-01")], nil),
            ([("traceparent", Self.trace), ("traceparent", Self.trace)], nil),
        ]
        for (number, (headers, expected)) in cases.enumerated() {
            let body = #"{"kind":"save","devices":[{"source":"sim-\#(number)"}]}"#
            let answer = await bench.answer("POST", "/v1/jobs", headers: headers, body: body)
            #expect(answer.status == 202)
            let job = try JSONReader.decode(
                JobDTO.self,
                from: answer.body,
                unknownFields: .refuse
            )
            #expect(job.traceparent == expected)
        }
    }

    @Test("the log hears of what may change something and of failures, not of reads")
    func log() async throws {
        let heard = Heard()
        let bench = try EngineUnderTest("mlx5", accessLog: { heard.hear($0) })
        _ = await bench.answer("GET", "/v1/devices/sim-0")
        _ = await bench.answer("GET", "/nowhere")
        #expect(heard.records.isEmpty)
        let headers = [
            (name: "x-request-id", value: "q"), (name: "traceparent", value: Self.trace),
            (name: "authorization", value: "Bearer secret"),
        ]
        let body = #"{"id":"s","kind":"save","devices":[{"source":"sim-0"}]}"#
        _ = await bench.answer("POST", "/v1/jobs", headers: headers, body: body)
        _ = await bench.answer("DELETE", "/v1/images/none", headers: headers)
        let stopping = RefusedRequest(
            method: nil,
            rawPath: "/v1/host",
            requestID: nil,
            caller: .anonymousLoopback
        )
        _ = bench.api.refuse(.shuttingDown, stopping)
        _ = bench.api.refuse(.badRequest("x"), stopping)
        let records = heard.records
        #expect(records.map(\.endpoint) == ["createJob", "deleteImage", nil])
        #expect(records.map(\.status) == [202, 404, 503])
        #expect(records.map(\.problem) == [nil, "not-found", "shutting-down"])
        #expect(records[0].requestID == "q" && records[0].caller == "uid:1000")
        #expect(records[0].traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(records[0].nanoseconds > 0)
        #expect(!"\(records)".contains("secret"))
    }

    @Test("the answer of a body that is streamed is counted, named and logged too")
    func uploads() async throws {
        let heard = Heard()
        let bench = try EngineUnderTest("mlx5", accessLog: { heard.hear($0) })
        func handling(_ id: String, type: String) -> BodyHandling {
            bench.api.bodyHandling(
                for: APIRequest(
                    method: "PUT",
                    rawPath: "/v1/images/x/content",
                    rawQuery: nil,
                    headers: [("x-request-id", id), ("content-type", type)],
                    body: [],
                    caller: .anonymousLoopback
                )
            )
        }
        guard case .refuse(let refusal) = handling("u1", type: "text/plain"),
            case .stream(let sink, _) = handling("u2", type: "application/x-tar")
        else {
            Issue.record("The first is refused and the second streamed.")
            return
        }
        // An archive of nothing.
        let response = await withCheckedContinuation { continuation in
            sink.finish { continuation.resume(returning: $0) }
        }
        #expect([refusal, response].map { $0.header("X-Request-Id") } == ["u1", "u2"])
        #expect([refusal.status, response.status] == [415, 422])
        #expect(heard.records.map(\.requestID) == ["u1", "u2"])
        #expect(heard.records.map(\.status) == [415, 422])
        #expect(heard.records.map(\.endpoint) == ["uploadImageContent", "uploadImageContent"])
        let counted = try await bench.metrics()["ferry_http_requests_total"]
        #expect(counted?.value(["endpoint": "uploadImageContent", "status": "422"]) == 1)
    }

    private final class Heard: Sendable {
        /// Guards what was heard; a leaf.
        private let state = Mutex<[AccessRecord]>([])

        var records: [AccessRecord] { state.withLock { $0 } }

        func hear(_ record: AccessRecord) { state.withLock { $0.append(record) } }
    }
}
