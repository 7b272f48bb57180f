import APISchema
import ManagementAPI
import Testing

@testable import APIClient

@Suite("The client asks as the contract says and believes no more than it must")
struct APIClientTests {
    private let session = """
        {"id":"s","device":"d","origin":"opened","status":"open","content":"empty",
         "reproducible":false,"opened_at":"2026-11-23T07:51:02.004Z","field_of_next_year":[1]}
        """

    private func problem(_ work: () throws(ClientProblem) -> Void) -> ClientProblem? {
        do throws(ClientProblem) { try work() } catch { return error }
        return nil
    }

    @Test("a request carries its body, its type and an encoded path")
    func requests() throws {
        let server = try MadeUpServer(
            Answer.json(session, status: 201),
            Answer.json(session),
            Answer.json(session)
        )
        let client = try APIClient(server: server.address)
        let opened = try client.openSession(SessionRequestDTO(device: "pci-0000:41:00.3"))
        #expect(opened.id == "s")
        _ = try client.session("a/b ?%")
        _ = try client.closeSession("s", discardContent: true)
        let asked = server.requests
        #expect(asked.map(\.method) == ["POST", "GET", "DELETE"])
        #expect(
            asked.map(\.rawPath) == [
                "/v1/sessions", "/v1/sessions/a%2Fb%20%3F%25", "/v1/sessions/s",
            ]
        )
        #expect(asked.map(\.rawQuery) == [nil, nil, "discard_content=true"])
        #expect(
            String(decoding: asked[0].body, as: UTF8.self) == #"{"device":"pci-0000:41:00.3"}"#
        )
        #expect(asked[0].header("content-type") == "application/json")
        #expect(asked[1].header("content-type") == nil)
    }

    @Test("an action has no body and no type")
    func actions() throws {
        let server = try MadeUpServer(Answer.json("{}", status: 202))
        let client = try APIClient(server: server.address)
        _ = problem { () throws(ClientProblem) in _ = try client.cancelJob("j") }
        let asked = try #require(server.requests.first)
        #expect(asked.method == "POST")
        #expect(asked.rawPath == "/v1/jobs/j/cancel")
        #expect(asked.body.isEmpty)
        #expect(asked.header("content-type") == nil)
    }

    @Test("each page of a list is asked for with the same filter and sort")
    func choice() throws {
        let server = try MadeUpServer(
            Answer.json(#"{"items":[],"next_cursor":"c"}"#),
            Answer.json(#"{"items":[],"next_cursor":null}"#)
        )
        let choice = ListChoice(filter: "a=b and c", sort: "-d")
        #expect(try APIClient(server: server.address).jobs(choice, limit: 5).isEmpty)
        let query = "limit=5&filter=a%3Db%20and%20c&sort=-d"
        #expect(server.requests.map(\.rawQuery) == [query, query + "&cursor=c"])
    }

    @Test("a list is read to its end, page by page")
    func lists() throws {
        let server = try MadeUpServer(
            Answer.json(#"{"items":[\#(session)],"next_cursor":"sessions.s"}"#),
            Answer.json(#"{"items":[\#(session)],"next_cursor":null}"#)
        )
        let sessions = try APIClient(server: server.address).sessions()
        #expect(sessions.count == 2)
        #expect(server.requests.map(\.rawQuery) == ["limit=1000", "limit=1000&cursor=sessions.s"])
    }

    @Test("a list that goes in a circle is left")
    func circles() throws {
        let page = Answer.json(#"{"items":[],"next_cursor":"sessions.s"}"#)
        let server = try MadeUpServer(page, page, page)
        let client = try APIClient(server: server.address)
        let problem = problem { () throws(ClientProblem) in _ = try client.sessions() }
        guard case .notUnderstood? = problem else {
            Issue.record("\(String(describing: problem))")
            return
        }
        #expect(server.requests.count == 2)
    }

    @Test("a problem document arrives with its facts")
    func problems() throws {
        let text = """
            {"type":"urn:ferry:problem:device-busy","code":"device-busy","title":"t","status":409,
             "detail":"d","device":"sim-0","errno":"EBUSY","new_fact":1,
             "holders":[{"pid":1,"command":"qemu","uid":2}]}
            """
        let server = try MadeUpServer(Answer.problem(text, status: 409))
        let client = try APIClient(server: server.address)
        guard
            case .refused(let told)? = problem({ () throws(ClientProblem) in _ = try client.host() }
            )
        else {
            Issue.record("not refused")
            return
        }
        #expect(told.code == "device-busy")
        #expect(told.holders == [HolderDTO(pid: 1, command: "qemu", uid: 2)])
    }

    @Test("an answer that is none of a ferryd's is said to make no sense")
    func strangers() throws {
        let server = try MadeUpServer(
            Answer.json("<html>", status: 200),
            Answer.json("{}", status: 502),
            Answer.problem("{}", status: 500),
            Answer.json(#"{"hostname":7}"#)
        )
        let client = try APIClient(server: server.address)
        for status in [200, 502, 500, 200] {
            let problem = problem { () throws(ClientProblem) in _ = try client.host() }
            guard case .notUnderstood(status, _)? = problem else {
                Issue.record("\(String(describing: problem))")
                return
            }
        }
    }

    @Test("an answer longer than the limit is left unread")
    func longAnswers() throws {
        let long = Answer.json(String(repeating: " ", count: 200_000))
        let server = try MadeUpServer(long)
        let client = APIClient(
            transport: try CurlTransport(server: server.address, answerByteLimit: 100_000)
        )
        let problem = problem { () throws(ClientProblem) in _ = try client.host() }
        guard case .notUnderstood(_, let detail)? = problem else {
            Issue.record("\(String(describing: problem))")
            return
        }
        #expect(detail.contains("100000"))
    }

    @Test("a server that is not there cannot be reached, and the cause is told")
    func unreachable() throws {
        let nowhere = ServerAddress.unix(path: "/tmp/ferry-\(UInt64.random(in: 0 ... .max)).sock")
        let client = try APIClient(server: nowhere)
        guard
            case .unreachable(let server, let detail)? = problem({ () throws(ClientProblem) in
                _ = try client.host()
            })
        else {
            Issue.record("reached")
            return
        }
        #expect(server == nowhere)
        #expect(detail.contains("No such file"), "\(detail)")
    }

    @Test(
        "an address is unix:PATH or tcp:HOST:PORT",
        arguments: [
            "unix:/run/ferry/ferryd.sock", "unix:ferryd.sock", "tcp:127.0.0.1:80",
            "tcp:[::1]:65535", "tcp:h-1.x:1",
        ]
    )
    func addresses(_ text: String) {
        #expect(ServerAddress(text)?.description == text)
    }

    @Test(
        "what is no address is refused",
        arguments: [
            "", "unix:", "tcp:", "tcp:h", "tcp:h:0", "tcp:h:65536", "tcp::1",
            "tcp:user@h:1", "tcp:h/x:1", "http://h:1", "/run/x",
            "unix:/" + String(repeating: "x", count: 108),
        ]
    )
    func noAddresses(_ text: String) {
        #expect(ServerAddress(text) == nil)
    }
}
