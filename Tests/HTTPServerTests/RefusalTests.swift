import Dispatch
import HTTPServer
import ManagementAPI
import Testing

@Suite("What could be read in two ways is refused") struct RefusalTests {
    private static let host = "Host: localhost\r\n"

    @Test(
        "a lax request is refused, unread by the API, and its connection closed",
        arguments: [
            // Where the body ends.
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 3\r\ncontent-length: 4\r\n\r\nabcd",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: gzip\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: identity\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.0\r\n\(host)Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Content-Length: -1\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 0x3\r\n\r\nabc",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 3,3\r\n\r\nabc",
            "POST / HTTP/1.1\r\n\(host)Content-Length: \r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 99999999999999999999\r\n\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
            // Whose request it is.
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
            "GET / HTTP/1.1\r\n\(host)Origin: http://localhost\r\nOrigin: http://localhost\r\n\r\n",
            // What the lines are.
            "GET / HTTP/1.1\r\n\(host)X : y\r\n\r\n",
            "GET / HTTP/1.1\r\n\(host) X: y\r\n\r\n",
            "GET / HTTP/1.1\r\n\(host)X: y\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\n\(host)X: y\r\n\tfolded\r\n\r\n",
            "GET / HTTP/1.1\r\n\(host)X: y\u{0}z\r\n\r\n",
            "GET / HTTP/1.1\r\n\(host)X\u{0}: y\r\n\r\n",
            "GET / HTTP/1.1\r\n\(host)X: y\u{0}\r\n\r\n",
            "GET / HTTP/1.1\r\n\(host)X: y\rZ: w\r\n\r\n",
            "GET / HTTP/1.1\r\n\(host)X: y\u{1}\r\n\r\n",
            "GET / HTTP/1.1\r\n\(host)X: y\u{7F}\r\n\r\n",
            "GET / HTTP/1.1\r\n\(host)X(: y\r\n\r\n",
            "GET / HTTP/1.1\r\n\(host): y\r\n\r\n",
            "GET / HTTP/1.1\r\n\(host)no colon\r\n\r\n",
            "GET / HTTP/1.1\n\(host)\r\n",
            "GET / HTTP/1.1\r\nHost: localhost\n\r\n",
            "GET / HTTP/1.1\r\n\(host)\n",
            "GET  / HTTP/1.1\r\n\(host)\r\n",
            "GET /  HTTP/1.1\r\n\(host)\r\n",
            "GET /a b HTTP/1.1\r\n\(host)\r\n",
            "GET /a\u{0}b HTTP/1.1\r\n\(host)\r\n",
            "GET /a\tb HTTP/1.1\r\n\(host)\r\n",
            "GET /ü HTTP/1.1\r\n\(host)\r\n",
            "GET a HTTP/1.1\r\n\(host)\r\n",
            "GET http://localhost/a HTTP/1.1\r\n\(host)\r\n",
            "OPTIONS * HTTP/1.1\r\n\(host)\r\n",
            "G\u{0}T / HTTP/1.1\r\n\(host)\r\n",
            "G(T / HTTP/1.1\r\n\(host)\r\n",
            "GET / HTTP/1.1 \r\n\(host)\r\n",
            "GET / HTTP/2.0\r\n\(host)\r\n",
            "GET /\r\n\(host)\r\n",
            "GET / HTTP/1.1\r\n\(host)X: \(String(repeating: "y", count: 100_000))\r\n\r\n",
            "GET /\(String(repeating: "y", count: 100_000)) HTTP/1.1\r\n\(host)\r\n",
        ]
    )
    func lax(_ request: String) throws {
        let server = try ServerUnderTest()
        let client = try server.connect()
        // Sending may fail halfway: a server that has refused does not read for ever.
        try? client.send(request)
        if let answer = try? client.readAnswer() {
            #expect((400...505).contains(answer.status), "\(answer)")
        }
        _ = client.readsToEnd()
        #expect(server.requests.seen.isEmpty)
        #expect(try server.connect().ask()?.status == 200, "the others are served on")
    }

    @Test("a header with bytes that are not UTF-8 is refused")
    func notUTF8() throws {
        let server = try ServerUnderTest()
        let client = try server.connect()
        try client.send(
            Array("GET / HTTP/1.1\r\nHost: localhost\r\nX: ".utf8) + [0xFF] + Array("\r\n\r\n".utf8)
        )
        #expect(try client.readAnswer()?.status == 400)
        #expect(server.requests.seen.isEmpty)
    }

    @Test("a head that is too long is refused in our own words")
    func longHead() throws {
        let server = try ServerUnderTest { $0.headByteLimit = 1000 }
        let filler = "X: \(String(repeating: "y", count: 1000))\r\n"
        let answer = try #require(try server.connect().ask("GET", "/h", headers: filler))
        #expect(answer.status == 431)
        #expect(answer.body == "/h: headersTooLarge(limit: 1000)")
        #expect(server.requests.seen.isEmpty)
        let big = "X: \(String(repeating: "y", count: 16_000))\r\n"
        let roomy = try ServerUnderTest()
        #expect(try roomy.connect().ask("GET", "/h", headers: big)?.status == 200)
    }

    @Test("an expectation other than 100-continue is refused by its name")
    func expectation() throws {
        let server = try ServerUnderTest()
        let answer = try #require(
            try server.connect().ask("POST", "/e", headers: "Expect: tea\r\n", body: "x")
        )
        #expect(answer.status == 417)
        #expect(answer.body == #"/e: unknownExpectation("tea")"#)
        #expect(answer.headers["connection"] == "close")
    }

    @Test("a body that says it is too long is refused at once, and the client can read that")
    func tooLongBySize() throws {
        let server = try ServerUnderTest { $0.bodyByteLimit = 1000 }
        let client = try server.connect()
        let body = String(repeating: "z", count: 4 << 20)
        let answer = try #require(try client.ask("POST", "/long", body: body))
        #expect(answer.status == 413)
        #expect(answer.body == "/long: bodyTooLarge(limit: 1000)")
        #expect(client.readsToEnd(), "closed, not reset")
        let exact = String(repeating: "z", count: 1000)
        #expect(try server.connect().ask("POST", "/fits", body: exact)?.status == 200)
        #expect(server.requests.seen.count == 1)
    }

    @Test("a client that asks first is refused before it sends a body that is too long")
    func tooLongByExpectation() throws {
        let server = try ServerUnderTest { $0.bodyByteLimit = 1000 }
        let client = try server.connect()
        try client.send(
            "POST /a HTTP/1.1\r\n\(Self.host)Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n"
        )
        #expect(try client.readAnswer()?.status == 413)
        #expect(client.readsToEnd())
    }

    @Test("a chunked body is refused as soon as it is too long, and the client can read that")
    func tooLongByChunks() throws {
        let server = try ServerUnderTest { $0.bodyByteLimit = 100_000 }
        let client = try server.connect()
        try client.send("POST /c HTTP/1.1\r\n\(Self.host)Transfer-Encoding: chunked\r\n\r\n")
        let chunk = "2710\r\n" + String(repeating: "c", count: 10_000) + "\r\n"
        for _ in 0..<400 { try client.send(chunk) }
        let answer = try #require(try client.readAnswer())
        #expect(answer.status == 413)
        #expect(answer.body == "/c: bodyTooLarge(limit: 100000)")
        #expect(answer.headers["connection"] == "close")
        #expect(client.readsToEnd(), "closed, not reset")
        #expect(server.requests.seen.isEmpty)
    }

    @Test("a name or an origin of somebody else is refused on TCP")
    func foreign() throws {
        let server = try ServerUnderTest()
        func status(_ host: String, _ origin: String? = nil) throws -> Int? {
            let origin = origin.map { "Origin: \($0)\r\n" } ?? ""
            let client = try server.connect()
            try client.send("GET / HTTP/1.1\r\nHost: \(host)\r\n\(origin)\r\n")
            return try client.readAnswer()?.status
        }
        let port = String(server.address.split(separator: ":")[2])
        for host in ["localhost", "LOCALHOST:\(port)", "127.0.0.1:\(port)", "[::1]", "[::1]:1"] {
            #expect(try status(host) == 200, "\(host)")
            #expect(try status(host, "http://\(host)") == 200)
        }
        for host in [
            "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "",
            "localhost:", "localhost:x", "localhost:+1", "localhost:99999", "a@localhost", "::1",
            "127.0.0.2",
        ] {
            #expect(try status(host) == 403, "\(host)")
        }
        for origin in [
            "http://evil.example", "null", "https://localhost", "http://localhost:1", "",
            "http://localhost.evil.example",
        ] {
            #expect(try status("localhost", origin) == 403, "\(origin)")
        }
    }
}
