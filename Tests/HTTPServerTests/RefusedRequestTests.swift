import HTTPServer
import ManagementAPI
import Testing

@Suite("Who words a refusal is told whose request it is")
struct RefusedRequestTests {
    /// A server whose refusals say what they were told of the request.
    private func server(
        metrics: TransportMetrics = TransportMetrics(),
        _ change: (inout HTTPServer.Options) -> Void = { _ in }
    ) throws -> HTTPServer {
        var options = HTTPServer.Options()
        options.allowsAnonymousLoopback = true
        change(&options)
        return try HTTPServer(
            listener: ListenAddress("tcp:127.0.0.1:0"),
            options: options,
            metrics: metrics,
            handle: { _, reply in reply(APIResponse(status: 200, headers: [], body: [])) },
            refuse: { _, request in
                let text =
                    "\(request.method ?? "?") \(request.rawPath) \(request.requestID ?? "?")"
                return APIResponse(status: 400, headers: [], body: Array(text.utf8))
            }
        )
    }

    @Test("a request refused for its head")
    func head() throws {
        let server = try server()
        defer { server.stop() }
        let answer = try RawClient(server.boundAddress)
            .ask("PUT", "/a?b", headers: "X-Request-Id: n1\r\nExpect: tea\r\n")
        #expect(answer?.body == "PUT /a n1")
    }

    @Test("a request refused in the middle of its body")
    func body() throws {
        let server = try server { $0.bodyByteLimit = 4 }
        defer { server.stop() }
        let client = try RawClient(server.boundAddress)
        try client.send(
            "POST /a HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: n2\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"
        )
        #expect(try client.readAnswer()?.body == "POST /a n2")
    }

    @Test("a head that cannot be read has no name and no method")
    func unread() throws {
        let server = try server { $0.headByteLimit = 200 }
        defer { server.stop() }
        let filler = "X-Request-Id: n3\r\nX: \(String(repeating: "y", count: 200))\r\n"
        let answer = try RawClient(server.boundAddress).ask("GET", "/a", headers: filler)
        #expect(answer?.body == "? /a ?")
    }

    @Test("open connections are counted, and none is left after the stop")
    func connections() throws {
        let metrics = TransportMetrics()
        let server = try server(metrics: metrics)
        let clients = try (0..<3).map { _ in try RawClient(server.boundAddress) }
        for client in clients { #expect(try client.ask()?.status == 200) }
        #expect(metrics.openConnectionCount == 3)
        server.stop()
        #expect(metrics.openConnectionCount == 0)
    }
}
