import APIClient
import APISchema
import Testing

@testable import ferryctl

@Suite("A job is started once, and found again over a break")
struct SubmissionTests {
    private static func job(
        _ state: String,
        _ more: String = "",
        warnings: String = ""
    ) -> String {
        """
        {"id":"j","kind":"reset","state":"\(state)","generation":3,"devices":[],
         "limits":{"downtime_ms":1,"completion_timeout_s":1,"on_timeout":"cancel"},
         "switchover":{"mode":"auto","ready":false,"blocked_by":[]},"may_run":"nobody",
         "phase_times":[],"cancellable":false,"warnings":[\(warnings)],"labels":{},"requested_by":"uid:0",
         "created_at":"2026-12-01T00:00:00.000Z"\(more)}
        """
    }

    private static func refusal(_ code: String, _ status: Int) -> ScriptedServer.Step {
        .json(
            #"{"type":"t","code":"\#(code)","title":"t","status":\#(status),"detail":"d"}"#,
            status: status
        )
    }

    private let request = JobRequestDTO(kind: "reset", devices: [.init(source: "d")])

    private func problem(_ work: () throws(ClientProblem) -> Void) -> ClientProblem? {
        do throws(ClientProblem) { try work() } catch { return error }
        return nil
    }

    @Test("when the answer is lost it is asked for again, by the same key")
    func lostAnswers() throws {
        let server = try ScriptedServer(
            .silence,
            Self.refusal("idempotency-in-flight", 409),
            .json(Self.job("queued"), status: 202)
        )
        var pauses: [Int] = []
        let job = try APIClient(server: server.address).createJob(request) { pauses.append($0) }
        #expect(job.id == "j")
        #expect(pauses == [500, 1000])
        let keys = server.requests.compactMap { $0.header("Idempotency-Key") }
        #expect(keys.count == 3)
        #expect(Set(keys).count == 1)
        #expect(keys.first?.utf8.count == 34)
        #expect(Set(server.requests.map(\.body)).count == 1)
    }

    @Test("what a job that succeeded warns of is told beside its end")
    func warnings() throws {
        let server = try ScriptedServer(.json(Self.job("succeeded", warnings: #""sim-0: late""#)))
        let client = try APIClient(server: server.address)
        let captured = CapturedOutput()
        let follower = JobFollower(client: client, printer: captured.printer())
        let status = try follower.finish(try client.job("j"), wait: true)
        #expect(status == .success)
        #expect(captured.outputText == "reset j succeeded\n")
        #expect(captured.errorText == "ferryctl: warning: sim-0: late\n")
    }

    @Test("each job has a key of its own")
    func keys() {
        #expect(Set((0..<100).map { _ in APIClient.randomKey() }).count == 100)
    }

    @Test("a refusal is not asked for again, and an answer that stays away is given up")
    func refusals() throws {
        let refusing = try ScriptedServer(Self.refusal("device-busy", 409))
        let silent = try ScriptedServer(.silence, .silence, .silence, .silence)
        let first = try APIClient(server: refusing.address)
        let second = try APIClient(server: silent.address)
        guard
            case .refused? = problem({ () throws(ClientProblem) in
                _ = try first.createJob(request) { _ in Issue.record("It waits for a refusal.") }
            }),
            case .interrupted? = problem({ () throws(ClientProblem) in
                _ = try second.createJob(request) { _ in }
            })
        else {
            Issue.record("another problem")
            return
        }
        #expect(silent.requests.count == 4)
    }

    @Test("where nobody listens nothing is asked for twice")
    func nobody() throws {
        let nowhere = ServerAddress.unix(path: "/tmp/ferry-\(UInt64.random(in: 0 ... .max)).sock")
        let client = try APIClient(server: nowhere)
        guard
            case .unreachable? = problem({ () throws(ClientProblem) in
                _ = try client.createJob(request) { _ in Issue.record("It waits for nobody.") }
            })
        else {
            Issue.record("reached")
            return
        }
    }

    @Test("who follows a job goes on with the server that comes back")
    func following() throws {
        let server = try ScriptedServer(
            .json(Self.job("running")),
            .silence,
            Self.refusal("shutting-down", 503),
            .json(Self.job("succeeded"))
        )
        let client = try APIClient(server: server.address)
        var pauses = 0
        var follower = JobFollower(client: client, printer: CapturedOutput().printer())
        follower.pause = { _ in pauses += 1 }
        let job = try follower.follow(client.job("j"))
        #expect(job.state == "succeeded")
        #expect(pauses == 2)
    }

    @Test("a wait that is over says so and leaves the job")
    func timeout() throws {
        let running = ScriptedServer.Step.json(Self.job("running"))
        let server = try ScriptedServer(running, running)
        let client = try APIClient(server: server.address)
        let follower = JobFollower(client: client, printer: CapturedOutput().printer())
        let job = try follower.follow(client.job("j"), until: .now)
        #expect(job.state == "running")
        #expect(ferryctl.ExitStatus(endOf: job) == .timeIsOver)
        #expect(server.requests.last?.line.contains("wait=0") == true)
    }

    @Test("a job that was resolved to nobody has failed, and its resolution has not")
    func resolving() throws {
        let error =
            #","error":{"type":"t","code":"daemon-died","title":"t","status":500,"detail":"d"}"#
        let server = try ScriptedServer(
            .json(Self.job("failed", error)),
            .json(Self.job("failed", error))
        )
        let client = try APIClient(server: server.address)
        let output = CapturedOutput()
        let follower = JobFollower(client: client, printer: output.printer())
        let status = try follower.finish(client.job("j"), wait: true) { job in
            ferryctl.ExitStatus(endOf: job, resolvedTo: "nobody")
        }
        #expect(status == .success)
        #expect(output.errorText == "")
        let other = try follower.finish(client.job("j"), wait: true) { job in
            ferryctl.ExitStatus(endOf: job, resolvedTo: "source")
        }
        #expect(other == .jobFailed)
        #expect(output.errorText != "")
    }
}
