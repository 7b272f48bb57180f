import Dispatch
import Glibc
import HTTPServer
import ManagementAPI
import Synchronization
import Testing

@Suite("A crowd of bad clients keeps no good one out") struct CrowdTests {
    @Test("clients that have not sent a head make room for those who come, the oldest first")
    func halfOpen() throws {
        let server = try ServerUnderTest { $0.connectionLimit = 16 }
        let good = try server.connect()
        #expect(try good.ask("GET", "/first")?.status == 200)
        var crowd: [RawClient] = []
        for number in 0..<200 {
            let client = try server.connect()
            if number % 2 == 0 { try client.send("GET / HTTP/1.1\r\nHost: loc") }
            crowd.append(client)
        }
        for number in 0..<10 {
            #expect(try server.connect().ask("GET", "/new\(number)")?.status == 200)
        }
        #expect(try good.ask("GET", "/still")?.status == 200, "who has sent a head stays")
        #expect(crowd[0].readsToEnd(), "the first of the crowd had to go")
    }

    @Test("more clients than the limit wait while all are busy, and get in when one leaves")
    func busy() throws {
        let server = try ServerUnderTest { $0.connectionLimit = 2 }
        let clients = [try server.connect(), try server.connect()]
        for client in clients { try client.send("GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n") }
        var replies = try clients.map { _ in try server.requests.takeHeld() }
        let third = try server.connect()
        try third.send("GET /third HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        #expect(!server.requests.seen.contains("GET /third 0:"))
        replies.removeFirst()(
            APIResponse(status: 200, headers: [("Connection", "close")], body: [])
        )
        #expect(try third.readAnswer()?.body == "GET /third 0:")
        replies.removeFirst()(ServerUnderTest.RequestLog.response(200, "second"))
        _ = clients
    }

    @Test("an idle client makes room for one who comes, the one that is idle for longest first")
    func idle() throws {
        let server = try ServerUnderTest {
            $0.connectionLimit = 20
            $0.idleGrace = .zero
            // Nobody goes for having been idle too long.
            $0.idleTimeout = .seconds(600)
        }
        // Another goes each second in which the one who had to is not gone yet, so that a machine
        // too busy to let him go for a second must not reach the last.
        let clients = try (0..<20).map { _ in try server.connect() }
        for client in clients.reversed() { #expect(try client.ask()?.status == 200) }
        #expect(try server.connect().ask("GET", "/new")?.status == 200)
        #expect(clients[19].readsToEnd(), "the longest idle had to go")
        #expect(try clients[0].ask()?.status == 200)
    }

    @Test("long bodies have a bound together, and short ones and other requests get by")
    func bodies() throws {
        let server = try ServerUnderTest {
            $0.bodyByteLimit = 100_000
            $0.bodiesByteLimit = 150_000
        }
        let head = "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
        let most = String(repeating: "a", count: 99_999)
        // Two of them are more than there is room for, so one must go, in whichever order they come.
        let pair = [try server.connect(), try server.connect()]
        for client in pair { try client.send(head + most) }
        var waiting = pair.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        try unsafe #require(poll(&waiting, 2, 20_000) > 0)
        for (client, state) in zip(pair, waiting) where state.revents != 0 {
            let refusal = try #require(try client.readAnswer())
            #expect(refusal.status == 503)
            #expect(refusal.body == "/a: overloaded")
        }
        #expect(try server.connect().ask("POST", "/short", body: "short")?.status == 200)
        #expect(try server.connect().ask()?.status == 200)
        for (client, state) in zip(pair, waiting) where state.revents == 0 {
            try client.send("z")
            #expect(try client.readAnswer()?.status == 200, "who was not refused is served")
        }
        let again = try server.connect()
        #expect(try again.ask("POST", "/b", body: most)?.status == 200, "the room is free again")
    }

    @Test("thousands of requests sent ahead are answered in order, while others are served")
    func pipelinedFlood() throws {
        let server = try ServerUnderTest()
        let flood = try server.connect()
        let count = 3000
        DispatchQueue(label: "flood").async {
            for number in 0..<count {
                do { try flood.send("GET /\(number) HTTP/1.1\r\nHost: localhost\r\n\r\n") } catch {
                    return
                }
            }
        }
        for number in 0..<count {
            if number % 1000 == 0 { #expect(try server.connect().ask()?.status == 200) }
            #expect(try flood.readAnswer()?.body == "GET /\(number) 0:")
        }
    }

    @Test(
        "a body that lies about its length does not become another request's",
        arguments: [
            // Shorter than it says, and gone.
            ("POST /lie HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc", 0),
            (
                "POST /lie HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
                0
            ),
            // Longer: the rest is a request, and none that anybody reads.
            ("POST /lie HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabcdef\r\n\r\n", 1),
        ]
    )
    func lyingBodies(_ request: String, served: Int) throws {
        let server = try ServerUnderTest()
        let client = try server.connect()
        try client.send(request)
        shutdown(client.descriptor, Int32(SHUT_WR))
        #expect(client.readsToEnd(), "noticed at once, not when its time is over")
        #expect(server.requests.seen.count == served)
        #expect(try server.connect().ask()?.status == 200)
    }

    @Test("what libmicrohttpd refuses by itself has the right status and ends the connection")
    func refusedByLibrary() throws {
        let server = try ServerUnderTest()
        let long = String(repeating: "y", count: 100_000)
        let host = "Host: localhost\r\n"
        for (request, status) in [
            ("GET / HTTP/1.1\r\n\(host)X: \(long)\r\n\r\n", 431),
            ("GET /\(long) HTTP/1.1\r\n\(host)\r\n", 414),
            ("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
            ("POST / HTTP/1.1\r\n\(host)Content-Length: x\r\n\r\n", 400),
        ] {
            let client = try server.connect()
            try client.send(request)
            #expect(try client.readAnswer()?.status == status)
            #expect(client.readsToEnd(), "closed, not reset")
        }
        #expect(server.requests.seen.isEmpty)
    }
}
