import APIClient
import APISchema
import Testing

@testable import ferryctl

@Suite("Events are told once each, over every break")
struct EventFollowerTests {
    private func event(_ number: Int, _ type: String = "job.changed", _ more: String = "") -> String
    {
        """
        id: s-\(number)
        event: \(type)
        data: {"id":"s-\(number)","type":"\(type)","at":"2026-12-01T00:00:00.000Z"\(more)}


        """
    }

    private func job(_ number: Int) -> String {
        event(number, "job.changed", #","job":"j\#(number)","state":"running","phase":"load""#)
    }

    private func line(_ number: Int) -> String {
        "2026-12-01T00:00:00.000Z  job.changed      j\(number)  running load\n"
    }

    /// Lets a follower follow until it throws.
    private func follow(
        _ server: ScriptedServer,
        _ output: CapturedOutput,
        from position: String? = nil,
        filter: String? = nil
    ) throws -> (problem: ClientProblem, pauses: [Int]) {
        var pauses: [Int] = []
        var follower = EventFollower(
            client: try APIClient(server: server.address),
            printer: output.printer(),
            filter: filter
        )
        follower.pause = { pauses.append($0) }
        do throws(ClientProblem) {
            try follower.follow(from: position)
        } catch {
            return (error, pauses)
        }
    }

    private let refusal = ScriptedServer.Step.json(
        #"{"type":"t","code":"bad-request","title":"t","status":400,"detail":"d"}"#,
        status: 400
    )

    @Test("after a break it asks for what comes behind the last whole event")
    func reconnecting() throws {
        let output = CapturedOutput()
        let cut = String(job(3).dropLast(8))
        let server = try ScriptedServer(
            .events("retry: 7\n\n" + job(1) + job(2) + cut),
            .events(event(3, "ready") + job(3) + ": keep-alive\nid: s-8\n\n"),
            refusal
        )
        let (problem, pauses) = try follow(server, output, filter: "state = running")
        guard case .refused = problem else {
            Issue.record("\(problem)")
            return
        }
        #expect(output.outputText == line(1) + line(2) + line(3))
        #expect(server.requests.map { $0.header("Last-Event-ID") } == [nil, "s-2", "s-8"])
        #expect(
            server.requests.map(\.line)
                == Array(
                    repeating: "GET /v1/events?filter=state%20%3D%20running HTTP/1.1",
                    count: 3
                )
        )
        #expect(pauses == [7, 2000])
    }

    @Test("events that are missing are told of on stderr")
    func gaps() throws {
        let output = CapturedOutput()
        let server = try ScriptedServer(
            .events(event(5, "gap", #","oldest":"s-5""#) + job(6)),
            refusal
        )
        _ = try follow(server, output, from: "s-1")
        #expect(output.outputText == line(6))
        #expect(
            output.errorText == "ferryctl: events are missing before s-5; "
                + "what is kept is behind --after s-5\n"
        )
    }

    @Test("who was never heard of is not waited for")
    func unreachable() throws {
        let nowhere = ServerAddress.unix(path: "/tmp/ferry-\(UInt64.random(in: 0 ... .max)).sock")
        let follower = EventFollower(
            client: try APIClient(server: nowhere),
            printer: CapturedOutput().printer(),
            filter: nil
        )
        #expect(throws: ClientProblem.self) { try follower.follow(from: nil) }
    }

    @Test("without a position all that is kept is told, up to now")
    func replaying() throws {
        let output = CapturedOutput()
        let server = try ScriptedServer(
            .events(event(4, "gap", #","oldest":"s-4""#) + job(5)),
            .events(job(5) + job(6) + event(6, "ready") + job(7))
        )
        let follower = EventFollower(
            client: try APIClient(server: server.address),
            printer: output.printer(),
            filter: nil
        )
        try follower.replay(from: nil)
        #expect(output.outputText == line(5) + line(6))
        #expect(server.requests.map { $0.header("Last-Event-ID") } == ["0", "s-4"])
    }

    @Test("a replay that breaks off is not taken for the whole")
    func brokenReplay() throws {
        let server = try ScriptedServer(.events(job(5)))
        let follower = EventFollower(
            client: try APIClient(server: server.address),
            printer: CapturedOutput().printer(),
            filter: nil
        )
        #expect(throws: ClientProblem.self) { try follower.replay(from: "s-4") }
    }

    @Test("what is no stream of events is not read as one")
    func strangers() throws {
        let steps = [
            ScriptedServer.Step.json("{}"), .events("data: <html>\n\n"),
            .events("data: " + String(repeating: "x", count: 2 << 20)),
        ]
        for step in steps {
            let (problem, _) = try follow(ScriptedServer(step), CapturedOutput())
            guard case .notUnderstood = problem else {
                Issue.record("\(problem)")
                return
            }
        }
    }

    @Test("nothing of an event steers the terminal")
    func controls() {
        var event = EventDTO(id: "i", type: "\u{1b}[2J", at: "\u{7}")
        event.job = "\u{1b}]0;x"
        event.state = "\r"
        let line = EventReport.line(event)
        #expect(line.dropLast().unicodeScalars.allSatisfy { $0.value >= 0x20 })
    }
}
