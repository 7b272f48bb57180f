import Dispatch
import Glibc
import HTTPServer
import ManagementAPI
import Testing

@Suite("Slow clients are cut off, patient ones are not") struct TimeTests {
    /// Sends a byte now and then until the server has closed; false when it never does.
    private func dribble(_ client: RawClient, limit: Int = 2000) -> Bool {
        for _ in 0..<limit {
            do { try client.send("x") } catch { return true }
            var waiting = [pollfd(fd: client.descriptor, events: Int16(POLLIN), revents: 0)]
            if unsafe poll(&waiting, 1, 10) > 0 { return true }
        }
        return false
    }

    @Test("a head that comes byte by byte is cut off")
    func slowHead() throws {
        let server = try ServerUnderTest { $0.headTimeout = .milliseconds(100) }
        let client = try server.connect()
        #expect(dribble(client))
        let second = try server.connect()
        try second.send("GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        #expect(dribble(second))
        #expect(server.requests.seen.isEmpty)
    }

    @Test("a client that never says anything is cut off")
    func silent() throws {
        let server = try ServerUnderTest { $0.headTimeout = .milliseconds(100) }
        #expect(try server.connect().readsToEnd())
    }

    @Test("a body that comes byte by byte is cut off, by length and by chunks")
    func slowBody() throws {
        let server = try ServerUnderTest { $0.bodyTimeout = .milliseconds(100) }
        for framing in ["Content-Length: 100000", "Transfer-Encoding: chunked"] {
            let client = try server.connect()
            try client.send("POST / HTTP/1.1\r\nHost: localhost\r\n\(framing)\r\n\r\n")
            if framing.hasPrefix("T") { try client.send("fffff\r\n") }
            #expect(dribble(client))
        }
        #expect(server.requests.seen.isEmpty)
    }

    @Test("a body that cannot be read on ends its connection, and not only when its time is over")
    func stuckBody() throws {
        let server = try ServerUnderTest { $0.bodyTimeout = .seconds(3600) }
        let client = try server.connect()
        try client.send(
            "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2;"
        )
        // An extension that fits into no buffer of libmicrohttpd's. The rest may come too late.
        try? client.send([UInt8](repeating: UInt8(ascii: "x"), count: 100 << 10))
        #expect(try client.readAnswer()?.status == 400)
        #expect(client.readsToEnd())
        #expect(server.requests.seen.isEmpty)
        #expect(try server.connect().ask()?.status == 200)
    }

    @Test(
        "an idle connection is closed after its time, and so is one that dribbles after a request"
    )
    func idle() throws {
        let server = try ServerUnderTest { $0.idleTimeout = .milliseconds(100) }
        let client = try server.connect()
        #expect(try client.ask()?.status == 200)
        #expect(client.readsToEnd())
        let second = try server.connect()
        #expect(try second.ask()?.status == 200)
        #expect(dribble(second))
    }

    @Test("an answer nobody reads does not hold a connection for ever")
    func unreadAnswer() throws {
        let server = try ServerUnderTest {
            $0.answerTimeout = .milliseconds(100)
            $0.connectionLimit = 1
        }
        let client = try server.connect()
        // More answers than the sockets' buffers hold.
        let request = "GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n"
        try client.send(String(repeating: request, count: 100))
        // There is room for one: this one gets in when the first is thrown out.
        #expect(try server.connect().ask("GET", "/next")?.body == "GET /next 0:")
    }

    @Test("a client that hangs up while it waits gives its place free")
    func abandoned() throws {
        let directory = try ScratchDirectory()
        for listener in ["tcp:127.0.0.1:0", "unix:\(directory.path)/s"] {
            let server = try ServerUnderTest(listener) { $0.connectionLimit = 1 }
            do {
                let client = try server.connect()
                try client.send("GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n")
                _ = try server.requests.takeHeld()
            }
            #expect(try server.connect().ask("GET", "/next")?.body == "GET /next 0:")
        }
    }

    @Test("a request that waits for its answer is not cut off, whatever the timeouts")
    func waiting() throws {
        let server = try ServerUnderTest {
            $0.headTimeout = .milliseconds(50)
            $0.bodyTimeout = .milliseconds(50)
            $0.answerTimeout = .seconds(20)
            $0.idleTimeout = .milliseconds(50)
        }
        let client = try server.connect()
        try client.send("GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let reply = try server.requests.takeHeld()
        // Others have come and been cut off in the meantime.
        for _ in 0..<4 { #expect(try server.connect().readsToEnd()) }
        reply(ServerUnderTest.RequestLog.response(200, "at last"))
        #expect(try client.readAnswer()?.body == "at last")
    }
}
