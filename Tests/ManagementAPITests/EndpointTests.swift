import APISchema
import ManagementAPI
import Testing

@Suite("The endpoints answer from a whole engine as the contract says")
struct EndpointTests {
    let engine: EngineUnderTest

    init() throws {
        engine = try EngineUnderTest("mlx5:count=3,state=1MiB,seed=7", "plain:count=1")
    }

    private func end(of id: String) async throws -> JobDTO {
        var job = try await engine.ask("GET", "/v1/jobs/\(id)", for: JobDTO.self)
        while !job.isFinished {
            job = try await engine.ask(
                "GET",
                "/v1/jobs/\(id)",
                "after_generation=\(job.generation)&wait=30",
                for: JobDTO.self
            )
        }
        return job
    }

    private func run(_ request: String) async throws -> JobDTO {
        let job = try await engine.ask(
            "POST",
            "/v1/jobs",
            body: request,
            for: JobDTO.self,
            status: 202
        )
        return try await end(of: job.id)
    }

    private func problem(
        _ method: String,
        _ path: String,
        _ query: String? = nil,
        body: String? = nil
    ) async throws -> ProblemDTO {
        let response = try await engine.ask(method, path, query, body: body)
        #expect(response.header("Content-Type") == "application/problem+json")
        return try await engine.ask(
            method,
            path,
            query,
            body: body,
            for: ProblemDTO.self,
            status: response.status
        )
    }

    @Test("host, health and readiness")
    func host() async throws {
        let host = try await engine.ask("GET", "/v1/host", for: HostDTO.self)
        #expect(host.workers.total > 0)
        #expect(try await engine.ask("GET", "/healthz", for: HealthDTO.self).status == "ok")
        #expect(try await engine.ask("GET", "/readyz", for: ReadinessDTO.self).ready)
    }

    @Test("devices are listed page by page, and shown")
    func devices() async throws {
        let first = try await engine.ask(
            "GET",
            "/v1/devices",
            "limit=3",
            for: PageDTO<DeviceDTO>.self
        )
        #expect(first.items.map(\.id) == ["sim-0", "sim-1", "sim-2"])
        let cursor = try #require(first.nextCursor)
        let second = try await engine.ask(
            "GET",
            "/v1/devices",
            "limit=3&cursor=\(cursor)",
            for: PageDTO<DeviceDTO>.self
        )
        #expect(second.items.map(\.id) == ["sim-3"])
        #expect(second.nextCursor == nil)
        let device = try await engine.ask("GET", "/v1/devices/sim-0", for: DeviceDTO.self)
        #expect(device == first.items.first)
        #expect(device.migration.flags == ["stop_copy", "p2p", "pre_copy"])
        #expect(device.simulated?.seed == "7")
        #expect(try await problem("GET", "/v1/devices/sim-9").code == "not-found")
        let probed = try await engine.ask("POST", "/v1/devices/sim-3/probe", for: DeviceDTO.self)
        #expect(probed.migration.kind == "none")
    }

    @Test("a migrate is accepted with its Location, followed by long poll, and journalled")
    func migrate() async throws {
        let request =
            #"{"kind":"migrate","id":"m","devices":[{"source":"sim-0","target":"sim-1"}]}"#
        let response = try await engine.ask("POST", "/v1/jobs", body: request)
        #expect(response.header("Location") == "/v1/jobs/m")
        #expect(response.header("Retry-After") == "1")
        let job = try await end(of: "m")
        #expect(job.state == "succeeded")
        #expect(job.mayRun == "target")
        #expect(job.requestedBy == "uid:1000")
        #expect(job.progress?.actualDowntimeMs ?? 0 > 0)
        let journal = try await engine.ask(
            "GET",
            "/v1/jobs/m/journal",
            "limit=2",
            for: PageDTO<JournalLineDTO>.self
        )
        #expect(journal.items.map(\.sequence) == [1, 2])
        let rest = try await engine.ask(
            "GET",
            "/v1/jobs/m/journal",
            "after=\(journal.nextCursor ?? "")",
            for: PageDTO<JournalLineDTO>.self
        )
        #expect(rest.items.first?.sequence == 3)
        #expect(rest.items.last?.state == "succeeded")
        #expect(try await problem("POST", "/v1/jobs", body: request).code == "job-exists")
        #expect(try await problem("POST", "/v1/jobs/m/cancel").code == "job-finished")
        #expect(try await problem("POST", "/v1/jobs/m/switchover").status == 409)
        #expect(try await problem("GET", "/v1/jobs/m", "wait=3").code == "bad-request")
        #expect(try await problem("GET", "/v1/jobs/n").code == "not-found")
    }

    @Test("a long poll holds until somebody opens the gate")
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
        let busy = #"{"kind":"save","devices":[{"source":"sim-0"}]}"#
        #expect(try await problem("POST", "/v1/jobs", body: busy).blockingJob == "m")
        #expect(job.switchover.ready)
        #expect(job.switchover.blockedBy == ["gate"])
        let seen = job.generation
        async let held = engine.ask(
            "GET",
            "/v1/jobs/m",
            "after_generation=\(seen)&wait=60",
            for: JobDTO.self
        )
        _ = try await engine.ask(
            "POST",
            "/v1/jobs/m/switchover",
            body: "{}",
            for: JobDTO.self,
            status: 202
        )
        #expect(try await held.generation > seen)
        #expect(try await end(of: "m").state == "succeeded")
    }

    @Test("an image is saved, shown, restored only as a copy that is accepted, and deleted")
    func images() async throws {
        let saved = try await run(#"{"kind":"save","devices":[{"source":"sim-0"}]}"#)
        let id = try #require(saved.image)
        let list = try await engine.ask("GET", "/v1/images", for: PageDTO<ImageDTO>.self)
        let image = try await engine.ask("GET", "/v1/images/\(id)", for: ImageDTO.self)
        #expect(list.items == [image])
        #expect(image.sourceResumed)
        let restore = #"{"kind":"restore","image":"\#(id)","devices":[{"target":"sim-1"}]"#
        #expect(
            try await problem("POST", "/v1/jobs", body: restore + "}").code == "copy-not-accepted"
        )
        let restored = try await run(restore + #","accept_copy":true}"#)
        #expect(restored.state == "succeeded")
        #expect(try await engine.ask("DELETE", "/v1/images/\(id)").status == 204)
        #expect(try await problem("GET", "/v1/images/\(id)").code == "not-found")
    }

    @Test("sessions are listed, closed with their content only on demand, and opened")
    func sessions() async throws {
        let list = try await engine.ask("GET", "/v1/sessions", for: PageDTO<SessionDTO>.self)
        let session = try #require(list.items.first { $0.device == "sim-2" })
        let path = "/v1/sessions/\(session.id)"
        #expect(try await engine.ask("GET", path, for: SessionDTO.self) == session)
        let closed = try await engine.ask(
            "DELETE",
            path,
            "discard_content=true",
            for: SessionDTO.self
        )
        #expect(closed.status == "closed")
        #expect(closed.closedAt != nil)
        let opened = try await engine.ask("POST", "/v1/sessions", body: #"{"device":"sim-2"}"#)
        #expect(opened.status == 201)
        #expect(opened.header("Location")?.hasPrefix("/v1/sessions/") == true)
        let again = try await problem("POST", "/v1/sessions", body: #"{"device":"sim-2"}"#)
        #expect(again.code == "session-exists")
        #expect(again.session != nil)
        #expect(again.retryAfterS == nil)
        #expect(try await problem("GET", "/v1/sessions/none").code == "not-found")
        let stranger = try await problem("POST", "/v1/sessions", body: #"{"device":"x","y":1}"#)
        #expect(stranger.pointer == "/y")
        let nobody = try await problem("POST", "/v1/sessions", body: #"{"device":"x"}"#)
        #expect(nobody.code == "invalid-field")
        #expect(nobody.pointer == "/device")
        #expect(nobody.device == "x")
        #expect(try await problem("DELETE", path, "discard_content=1").code == "bad-request")
    }

    @Test("jobs are listed newest first, page by page")
    func jobs() async throws {
        for number in 1...3 {
            _ = try await run(
                #"{"kind":"reset","id":"r\#(number)","devices":[{"source":"sim-0"}]}"#
            )
        }
        let first = try await engine.ask("GET", "/v1/jobs", "limit=2", for: PageDTO<JobDTO>.self)
        #expect(first.items.map(\.id) == ["r3", "r2"])
        let cursor = try #require(first.nextCursor)
        let rest = try await engine.ask(
            "GET",
            "/v1/jobs",
            "cursor=\(cursor)",
            for: PageDTO<JobDTO>.self
        )
        #expect(rest.items.map(\.id) == ["r1"])
        #expect(rest.items.first?.progress == nil)
        #expect(try await problem("GET", "/v1/sessions", "cursor=\(cursor)").code == "bad-request")
    }

    @Test("what cannot migrate is refused with its reasons")
    func notMigratable() async throws {
        let refused = try await problem(
            "POST",
            "/v1/jobs",
            body: #"{"kind":"save","devices":[{"source":"sim-3"}]}"#
        )
        #expect(refused.code == "not-migratable")
        #expect(refused.status == 422)
        #expect(refused.device == "sim-3")
    }
}
