import HTTPServer
import ManagementAPI
import Testing

@Suite("Requests reach the API and answers the client") struct RequestTests {
    @Test("a connection serves one request after another")
    func keepAlive() throws {
        let server = try ServerUnderTest()
        let client = try server.connect()
        for number in 0..<50 {
            let answer = try #require(try client.ask("GET", "/\(number)"))
            #expect(answer.status == 200)
            #expect(answer.body == "GET /\(number) 0:")
        }
    }

    @Test("every answer says its length and type, and is not to be kept or guessed at")
    func headers() throws {
        let server = try ServerUnderTest()
        let answer = try #require(try server.connect().ask())
        #expect(answer.headers["content-length"] == "\(answer.body.utf8.count)")
        #expect(answer.headers["content-type"] == "text/plain")
        #expect(answer.headers["cache-control"] == "no-store")
        #expect(answer.headers["x-content-type-options"] == "nosniff")
        #expect(answer.headers["connection"] != "close")
    }

    @Test("requests sent ahead are answered in order, the late ones too")
    func pipelining() throws {
        let server = try ServerUnderTest()
        let client = try server.connect()
        let host = "HTTP/1.1\r\nHost: localhost\r\n"
        try client.send(
            "GET /held \(host)\r\nPOST /b \(host)Content-Length: 3\r\n\r\nabcGET /later \(host)\r\n"
        )
        let reply = try server.requests.takeHeld()
        #expect(server.requests.seen.count == 1, "the second waits for the first")
        reply(ServerUnderTest.RequestLog.response(200, "first"))
        #expect(try client.readAnswer()?.body == "first")
        #expect(try client.readAnswer()?.body == "POST /b 3:abc")
        #expect(try client.readAnswer()?.body == "GET /later 0:")
    }

    @Test("the target comes through undecoded, query and all")
    func rawTarget() throws {
        let server = try ServerUnderTest()
        let client = try server.connect()
        for target in [
            "/a%2Fb/%00/../c?x=%41+b&c&&=%26", "/?", "/%zz%", "/a?b?c=d", "//x",
            "/pci-0000:41:00.3",
        ] {
            #expect(try client.ask("GET", target)?.body == "GET \(target) 0:")
        }
    }

    @Test("a body arrives whole, by length and by chunks, in one piece and byte by byte")
    func bodies() throws {
        let server = try ServerUnderTest()
        let client = try server.connect()
        #expect(try client.ask("POST", "/a", body: "hello")?.body == "POST /a 5:hello")
        #expect(try client.ask("POST", "/a", body: "")?.body == "POST /a 0:")
        let chunked = "POST /c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        let chunks = "5\r\nhello\r\n1;note=x\r\n \r\n5\r\nworld\r\n0\r\nTrailer: x\r\n\r\n"
        try client.send(chunked + chunks)
        #expect(try client.readAnswer()?.body == "POST /c 11:hello world")
        for byte in Array((chunked + chunks).utf8) { try client.send([byte]) }
        #expect(try client.readAnswer()?.body == "POST /c 11:hello world")
        let long = String(repeating: "y", count: 1 << 20)
        let answer = try #require(try client.ask("PUT", "/long", body: long))
        #expect(answer.body.hasPrefix("PUT /long 1048576:yyy"))
    }

    @Test("a client that asks first is told to go on, then answered")
    func continues() throws {
        let server = try ServerUnderTest()
        let client = try server.connect()
        try client.send(
            "POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"
                .replacing("Host: x", with: "Host: localhost:80")
        )
        #expect(try client.readAnswer()?.status == 100)
        try client.send("ok")
        #expect(try client.readAnswer()?.body == "POST /a 2:ok")
    }

    @Test("HEAD is GET without the body")
    func head() throws {
        let server = try ServerUnderTest()
        let client = try server.connect()
        let answer = try #require(try client.ask("HEAD", "/x"))
        #expect(answer.headers["content-length"] == "\("GET /x 0:".utf8.count)")
        #expect(try client.ask("GET", "/y")?.body == "GET /y 0:", "no body was left in between")
        #expect(server.requests.seen == ["GET /x 0:", "GET /y 0:"])
    }

    @Test("an answer without content is that, and the connection goes on")
    func noContent() throws {
        let server = try ServerUnderTest()
        let client = try server.connect()
        try client.send("DELETE /empty HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(try client.readAnswer(hasBody: false)?.status == 204)
        #expect(try client.ask("GET", "/y")?.status == 200)
    }

    @Test("an answer larger than every buffer arrives whole")
    func bigAnswer() throws {
        let server = try ServerUnderTest()
        let client = try server.connect()
        #expect(try client.ask("GET", "/big")?.body == String(repeating: "x", count: 300_000))
    }

    @Test("the second answer to a request is ignored, whenever it comes")
    func secondAnswer() throws {
        let server = try ServerUnderTest()
        let client = try server.connect()
        try client.send("GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let reply = try server.requests.takeHeld()
        reply(ServerUnderTest.RequestLog.response(200, "first"))
        reply(ServerUnderTest.RequestLog.response(200, "second"))
        #expect(try client.readAnswer()?.body == "first")
        reply(ServerUnderTest.RequestLog.response(200, "third"))
        #expect(try client.ask("GET", "/y")?.body == "GET /y 0:")
    }

    @Test("many clients are answered from other threads at the same time")
    func manyClients() throws {
        let server = try ServerUnderTest()
        let clients = try (0..<40).map { _ in try server.connect() }
        for round in 0..<5 {
            for (number, client) in clients.enumerated() {
                try client.send(
                    "GET /later?\(number).\(round) HTTP/1.1\r\nHost: localhost\r\n\r\n"
                )
            }
            for (number, client) in clients.enumerated() {
                #expect(try client.readAnswer()?.body == "GET /later?\(number).\(round) 0:")
            }
        }
    }

    @Test("an HTTP/1.0 client is answered and its connection closed")
    func http10() throws {
        let server = try ServerUnderTest()
        let client = try server.connect()
        try client.send("GET /old HTTP/1.0\r\nHost: localhost\r\n\r\n")
        #expect(try client.readAnswer()?.body == "GET /old 0:")
        #expect(client.readsToEnd())
    }
}
