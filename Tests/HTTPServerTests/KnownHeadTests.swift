import HTTPServer
import ManagementAPI
import Testing

@Suite("A head that comes again is known again, and no other is taken for it")
struct KnownHeadTests {
    /// Answers with all it was told of a request.
    private func echo(form: AnswerForm? = nil) throws -> HTTPServer {
        var options = HTTPServer.Options()
        options.allowsAnonymousLoopback = true
        return try HTTPServer(
            listener: ListenAddress("tcp:127.0.0.1:0"),
            options: options,
            handle: { request, reply in
                let headers = request.headers.map { "\($0.name)=\($0.value)" }
                let query = request.rawQuery.map { "?\($0)" } ?? ""
                let line = "\(request.method) \(request.rawPath)\(query)"
                let text = ([line] + headers).joined(separator: " ")
                reply(
                    APIResponse(
                        status: 200,
                        headers: [("Content-Type", "text/plain")],
                        body: Array((form == nil ? text : "kept").utf8),
                        form: form
                    )
                )
            },
            refuse: { refusal, _ in
                APIResponse(status: 400, headers: [], body: Array("\(refusal)".utf8))
            }
        )
    }

    private static func request(
        _ method: String = "GET",
        _ target: String = "/ab",
        host: String = "localhost",
        _ line: String = "X-One: 1"
    ) -> String { "\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\n\(line)\r\n\r\n" }

    /// Requests that differ from the first in a byte or in where their parts are, each with what
    /// the API must be told of it.
    private static let variants: [(request: String, seen: String)] = [
        (request(), "GET /ab host=localhost x-one=1"),
        (request("PUT"), "PUT /ab host=localhost x-one=1"),
        (request("GET", "/cb"), "GET /cb host=localhost x-one=1"),
        (request("GET", "/a?"), "GET /a? host=localhost x-one=1"),
        // Alike once their escapes are resolved.
        (request("GET", "/a%62"), "GET /a%62 host=localhost x-one=1"),
        (request("GET", "/%61b"), "GET /%61b host=localhost x-one=1"),
        (request("GET", "/ab", host: "127.0.0.1"), "GET /ab host=127.0.0.1 x-one=1"),
        (request("GET", "/ab", "X-One: 2"), "GET /ab host=localhost x-one=2"),
        (request("GET", "/ab", "X-Two: 1"), "GET /ab host=localhost x-two=1"),
        (request("GET", "/ab", "X-One:1 "), "GET /ab host=localhost x-one=1"),
        (request("GET", "/ab", "X-On: 21"), "GET /ab host=localhost x-on=21"),
        (request("GET", "/ab", "X: 1\r\nY:"), "GET /ab host=localhost x=1 y="),
    ]

    @Test("every request is told as it came, whichever was there before it")
    func pairs() throws {
        let server = try echo()
        defer { server.stop() }
        for first in Self.variants {
            let client = try RawClient(server.boundAddress)
            for second in Self.variants {
                for (request, seen) in [first, first, second] {
                    try client.send(request)
                    #expect(try client.readAnswer()?.body == seen)
                }
            }
        }
    }

    @Test("a head that must be refused is, after one like it that was not")
    func refusals() throws {
        let server = try echo()
        defer { server.stop() }
        for bad in [
            Self.request("GET", "/ab", host: "evilhosts"),
            Self.request("GET", "/ab", "X-One: \u{1}"),
            Self.request("GET", "/ab", "X One: 1"),
            Self.request("GET", "/ab", "Host: l\r\n"),
            Self.request().replacing("1\r\n\r\n", with: "1\n\r\n\n"),
        ] {
            let client = try RawClient(server.boundAddress)
            for _ in 0..<2 {
                try client.send(Self.request())
                #expect(try client.readAnswer()?.status == 200)
            }
            try client.send(bad)
            #expect(try client.readAnswer()?.status == 400, "\(bad)")
        }
    }

    @Test("an answer that is given again goes out whole each time, to everybody")
    func keptAnswers() throws {
        let server = try echo(form: AnswerForm())
        defer { server.stop() }
        let clients = try (0..<4).map { _ in try RawClient(server.boundAddress) }
        for client in clients + clients {
            let answer = try #require(try client.ask("GET", "/a"))
            #expect(answer.body == "kept")
            #expect(answer.headers["content-type"] == "text/plain")
            #expect(answer.headers["x-content-type-options"] == "nosniff")
            #expect(try client.ask("HEAD", "/a")?.headers["content-length"] == "4")
        }
    }
}
