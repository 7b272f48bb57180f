import APIClient
import APISchema
import Glibc
import Testing

@testable import ferryctl

@Suite("Images go over breaks without a byte too many or too few")
struct ContentTransferTests {
    private let directory: TemporaryDirectory
    private let output = CapturedOutput()
    private static let content = String((0..<1000).map { Character(String($0 % 10)) })

    private let image = """
        {"id":"i","job":"i","created_at":"2026-12-01T00:00:00.000Z","members":[],
         "source_resumed":true,"kernel_release":"6.12","size_bytes":1}
        """

    init() throws { directory = try TemporaryDirectory() }

    private var path: String { "\(directory.path)/i.tar" }

    private func head(_ tag: String = "\"a1\"") -> ScriptedServer.Step {
        ScriptedServer.Step(
            "HTTP/1.1 200 OK\r\nETag: \(tag)\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n"
        )
    }

    /// Content from an offset on, of which only some bytes are sent before the connection ends.
    private func part(
        from offset: Int,
        sending count: Int,
        _ tag: String = "\"a1\""
    ) -> ScriptedServer.Step {
        let bytes = Self.content.dropFirst(offset).prefix(count)
        let range = offset > 0 ? "Content-Range: bytes \(offset)-999/1000\r\n" : ""
        return ScriptedServer.Step(
            "HTTP/1.1 \(offset > 0 ? 206 : 200) X\r\nETag: \(tag)\r\n\(range)"
                + "Content-Length: \(1000 - offset)\r\nConnection: close\r\n\r\n\(bytes)"
        )
    }

    private func transfer(_ server: ScriptedServer) throws -> ContentTransfer {
        var transfer = ContentTransfer(
            client: try APIClient(server: server.address),
            printer: output.printer()
        )
        transfer.pause = { _ in }
        return transfer
    }

    private func problem(_ work: () throws(ClientProblem) -> Void) -> ClientProblem? {
        do throws(ClientProblem) { try work() } catch { return error }
        return nil
    }

    @Test("a download goes on where it broke off, of the same content")
    func download() throws {
        let server = try ScriptedServer(
            head(),
            part(from: 0, sending: 300),
            part(from: 300, sending: 400),
            part(from: 700, sending: 300)
        )
        #expect(try transfer(server).download("i", to: path) == 1000)
        #expect(directory.text(of: "i.tar") == Self.content)
        #expect(TemporaryDirectory.names(in: directory.path) == ["i.tar"])
        #expect(
            server.requests.map { $0.header("Range") } == [nil, nil, "bytes=300-", "bytes=700-"]
        )
        #expect(server.requests.last?.header("If-Range") == "\"a1\"")
        #expect(server.requests.first?.line == "HEAD /v1/images/i/content HTTP/1.1")
    }

    @Test("what an earlier download left of the same content is not fetched again")
    func resumedDownload() throws {
        directory.write(String(Self.content.prefix(900)), to: "i.tar.a1.part")
        directory.write("other content", to: "i.tar.b2.part")
        let server = try ScriptedServer(head(), part(from: 900, sending: 100))
        #expect(try transfer(server).download("i", to: path) == 1000)
        #expect(directory.text(of: "i.tar") == Self.content)
    }

    @Test("content that changed meanwhile comes from its start")
    func changedContent() throws {
        directory.write("xxxxxxxx", to: "i.tar.a1.part")
        let server = try ScriptedServer(head(), part(from: 0, sending: 1000))
        #expect(try transfer(server).download("i", to: path) == 1000)
        #expect(directory.text(of: "i.tar") == Self.content)
    }

    @Test("a download that does not come on is given up, and its part is kept")
    func hopeless() throws {
        let nothing = part(from: 300, sending: 0)
        let server = try ScriptedServer(
            head(),
            part(from: 0, sending: 300),
            nothing,
            nothing,
            nothing,
            nothing,
            nothing,
            nothing
        )
        let transfer = try transfer(server)
        let told = problem { () throws(ClientProblem) in
            _ = try transfer.download("i", to: path)
        }
        guard case .interrupted? = told else {
            Issue.record("\(String(describing: told))")
            return
        }
        #expect(TemporaryDirectory.names(in: directory.path) == ["i.tar.a1.part"])
        #expect(directory.text(of: "i.tar.a1.part") == String(Self.content.prefix(300)))
    }

    @Test("a part that was not asked for, and more than was promised, are refused")
    func hostileParts() throws {
        let wrong = ScriptedServer.Step(
            "HTTP/1.1 206 X\r\nContent-Range: bytes 5-9/1000\r\nContent-Length: 5\r\n\r\n56789"
        )
        let long = ScriptedServer.Step(
            "HTTP/1.1 200 X\r\nContent-Length: 5000\r\n\r\n" + String(repeating: "x", count: 5000)
        )
        let unnamed = ScriptedServer.Step("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for steps in [[head(), wrong], [head(), long], [unnamed]] {
            let server = try ScriptedServer(steps)
            let transfer = try transfer(server)
            let told = problem { () throws(ClientProblem) in
                _ = try transfer.download("i", to: path)
            }
            guard case .notUnderstood? = told else {
                Issue.record("\(String(describing: told))")
                return
            }
            #expect(!TemporaryDirectory.names(in: directory.path).contains("i.tar"))
        }
    }

    @Test("why there is nothing to download is told, though a HEAD has no body")
    func refusedDownload() throws {
        let server = try ScriptedServer(
            ScriptedServer.Step(
                "HTTP/1.1 404 X\r\nContent-Length: 50\r\nConnection: close\r\n\r\n"
            ),
            .json(
                #"{"type":"t","code":"not-found","title":"t","status":404,"detail":"d"}"#,
                status: 404
            )
        )
        let transfer = try transfer(server)
        let told = problem { () throws(ClientProblem) in
            _ = try transfer.download("i", to: path)
        }
        guard case .refused(let problem)? = told else {
            Issue.record("\(String(describing: told))")
            return
        }
        #expect(problem.code == "not-found")
    }

    @Test("an upload that breaks off goes on where the server is")
    func upload() throws {
        directory.write(Self.content, to: "i.tar")
        let server = try ScriptedServer(
            ScriptedServer.Step("", bodyByteCount: 400),
            received(350),
            .json(image, status: 201)
        )
        let made = try transfer(server).upload(path, as: "i", resume: false)
        #expect(made.id == "i")
        let requests = server.requests
        #expect(requests.map { String($0.line.prefix(3)) } == ["PUT", "GET", "PUT"])
        #expect(requests.first?.header("Content-Range") == nil)
        #expect(requests.last?.header("Content-Range") == "bytes 350-999/1000")
        #expect(requests.last?.header("Content-Type") == "application/x-tar")
        #expect(requests.last?.body == Array(Self.content.utf8.dropFirst(350)))
    }

    @Test("an upload whose break the server has not noticed yet goes on once it has")
    func unnoticedBreak() throws {
        directory.write(Self.content, to: "i.tar")
        let busy = ScriptedServer.Step.json(
            #"{"type":"t","code":"image-not-ready","title":"t","status":409,"detail":"d"}"#,
            status: 409
        )
        let server = try ScriptedServer(
            ScriptedServer.Step("", bodyByteCount: 400),
            busy,
            busy,
            received(400),
            .json(image, status: 201)
        )
        #expect(try transfer(server).upload(path, as: "i", resume: false).id == "i")
        #expect(server.requests.last?.header("Content-Range") == "bytes 400-999/1000")
    }

    @Test("an upload of somebody else that is under way is not waited for")
    func foreignUpload() throws {
        directory.write(Self.content, to: "i.tar")
        let busy = ScriptedServer.Step.json(
            #"{"type":"t","code":"image-busy","title":"t","status":409,"detail":"d"}"#,
            status: 409
        )
        let transfer = try transfer(ScriptedServer(busy))
        let told = problem { () throws(ClientProblem) in
            _ = try transfer.upload(path, as: "i", resume: false)
        }
        guard case .refused? = told else {
            Issue.record("\(String(describing: told))")
            return
        }
    }

    private func received(_ count: Int) -> ScriptedServer.Step {
        .json(
            """
            {"type":"t","code":"image-not-ready","title":"t","status":409,"detail":"d",
             "received_bytes":\(count)}
            """,
            status: 409
        )
    }

    @Test("with --resume the server is asked first, and sent what it does not have")
    func resumedUpload() throws {
        directory.write(Self.content, to: "i.tar")
        let server = try ScriptedServer(received(999), .json(image, status: 201))
        _ = try transfer(server).upload(path, as: "i", resume: true)
        #expect(server.requests.last?.body == Array(Self.content.utf8.suffix(1)))
        #expect(server.requests.last?.header("Content-Range") == "bytes 999-999/1000")
    }

    @Test("an upload whose answer was lost is found to be whole")
    func lostAnswer() throws {
        directory.write(Self.content, to: "i.tar")
        let server = try ScriptedServer(
            .silence,
            ScriptedServer.Step(
                "HTTP/1.1 206 X\r\nContent-Length: 1\r\nConnection: close\r\n\r\n0"
            ),
            .json(image)
        )
        #expect(try transfer(server).upload(path, as: "i", resume: false).id == "i")
        #expect(server.requests.last?.line == "GET /v1/images/i HTTP/1.1")
    }

    @Test("a refusal ends an upload, and so does a server that has more than there is")
    func refusedUploads() throws {
        directory.write(Self.content, to: "i.tar")
        let corrupt = ScriptedServer.Step.json(
            #"{"type":"t","code":"image-corrupt","title":"t","status":422,"detail":"d"}"#,
            status: 422
        )
        let refusing = try transfer(ScriptedServer(corrupt))
        let tooFar = try transfer(ScriptedServer(received(2000)))
        let told = problem { () throws(ClientProblem) in
            _ = try refusing.upload(path, as: "i", resume: false)
        }
        guard case .refused(let problem)? = told else {
            Issue.record("\(String(describing: told))")
            return
        }
        #expect(problem.code == "image-corrupt")
        let ahead = self.problem { () throws(ClientProblem) in
            _ = try tooFar.upload(path, as: "i", resume: true)
        }
        guard case .file? = ahead else {
            Issue.record("\(String(describing: ahead))")
            return
        }
    }

    @Test("what is no file is not uploaded", arguments: ["none", "empty", "."])
    func noFiles(_ name: String) throws {
        directory.write("", to: "empty")
        let server = try ScriptedServer()
        let transfer = try transfer(server)
        let told = problem { () throws(ClientProblem) in
            _ = try transfer.upload("\(directory.path)/\(name)", as: "i", resume: false)
        }
        guard case .file? = told else {
            Issue.record("\(String(describing: told))")
            return
        }
        #expect(ferryctl.ExitStatus(.file(path: "", detail: "")) == .fileFailed)
    }
}
