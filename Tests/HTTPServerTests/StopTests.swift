import Dispatch
import Glibc
import HTTPServer
import ManagementAPI
import Synchronization
import Testing

@Suite("A server stops cleanly, whatever it is doing", .serialized) struct StopTests {
    @Test("requests that wait are refused with 503, and their late answers ignored")
    func suspended() throws {
        let server = try ServerUnderTest { $0.stopGrace = .milliseconds(1) }
        let clients = try (0..<20).map { _ in try server.connect() }
        for client in clients { try client.send("GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n") }
        let replies = try clients.map { _ in try server.requests.takeHeld() }
        server.server.stop()
        for client in clients {
            let answer = try #require(try client.readAnswer())
            #expect(answer.status == 503)
            #expect(answer.body == "/held: shuttingDown")
            #expect(answer.headers["connection"] == "close")
            #expect(client.readsToEnd())
        }
        for reply in replies { reply(ServerUnderTest.RequestLog.response(200, "too late")) }
    }

    @Test("a request that finishes within the grace gets its own answer")
    func grace() throws {
        let server = try ServerUnderTest { $0.stopGrace = .seconds(20) }
        let client = try server.connect()
        try client.send("POST /held HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        let reply = try server.requests.takeHeld()
        let stopped = DispatchSemaphore(value: 0)
        DispatchQueue(label: "stop").async {
            server.server.stop()
            stopped.signal()
        }
        // From when it refuses new connections on, the server is stopping.
        let deadline = ContinuousClock.now + .seconds(15)
        while (try? server.connect()) != nil, ContinuousClock.now < deadline {}
        reply(ServerUnderTest.RequestLog.response(201, "done"))
        #expect(try client.readAnswer()?.body == "done")
        #expect(client.readsToEnd())
        try #require(stopped.wait(timeout: .now() + 60) == .success)
    }

    @Test("a stopped server is not there, and stopping it again does nothing")
    func gone() throws {
        let server = try ServerUnderTest()
        #expect(try server.connect().ask()?.status == 200)
        server.server.stop()
        server.server.stop()
        #expect(throws: RawClient.Failure.self) { try server.connect() }
    }

    @Test("idle and half-heard clients are closed, not waited for")
    func idle() throws {
        let server = try ServerUnderTest { $0.stopGrace = .seconds(20) }
        let idle = try server.connect()
        #expect(try idle.ask()?.status == 200)
        let half = try server.connect()
        try half.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc")
        server.server.stop()
        #expect(idle.readsToEnd())
        _ = half.readsToEnd()
        #expect(server.requests.seen.count == 1)
    }

    @Test("stopping under load breaks nothing, and every answer that comes is whole")
    func load() throws {
        for round in 0..<30 {
            let server = try ServerUnderTest { $0.stopGrace = .milliseconds(round % 3) }
            let broken = Mutex([String]())
            let group = DispatchGroup()
            let started = DispatchSemaphore(value: 0)
            for number in 0..<6 {
                DispatchQueue(label: "load-\(number)").async(group: group) {
                    started.signal()
                    do {
                        // Until the server is gone, or hangs up on us.
                        while true {
                            let client = try server.connect()
                            for _ in 0..<20 {
                                let path = number % 2 == 0 ? "/later" : "/now"
                                guard let answer = try client.ask("GET", path) else { break }
                                let isGood =
                                    answer.status == 503 || answer.body == "GET \(path) 0:"
                                if !isGood { broken.withLock { $0.append("\(answer)") } }
                            }
                        }
                    } catch {}
                }
            }
            for _ in 0..<6 { try #require(started.wait(timeout: .now() + 60) == .success) }
            #expect(try server.connect().ask()?.status == 200)
            server.server.stop()
            try #require(group.wait(timeout: .now() + 60) == .success)
            #expect(broken.withLock { $0 } == [])
        }
    }

    @Test("no descriptor of a server outlives it")
    func descriptors() throws {
        let before = anonymousDescriptorCount()
        for _ in 0..<40 {
            let server = try ServerUnderTest {
                $0.bodyByteLimit = 10
                $0.stopGrace = .milliseconds(1)
            }
            let clients = try (0..<3).map { _ in try server.connect() }
            #expect(try clients[0].ask()?.status == 200)
            // Refused in the middle of its body: its socket lingers.
            try clients[1].send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n")
            #expect(try clients[1].readAnswer()?.status == 413)
            try clients[2].send("GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n")
            _ = try server.requests.takeHeld()
            server.server.stop()
            let port = try #require(
                server.address.split(separator: ":").last.flatMap { UInt16($0) }
            )
            #expect(OpenSockets.count(onPort: port) == 0)
        }
        // Other tests have descriptors of their own; 40 leaking servers would stand out.
        #expect(anonymousDescriptorCount() < before + 40)
    }

    /// The open descriptors that are no files or sockets: epoll, eventfd, pipes.
    private func anonymousDescriptorCount() -> Int {
        (0..<1024).count { (descriptor: Int32) in
            var status = stat()
            guard unsafe fstat(descriptor, &status) == 0 else { return false }
            return [0, S_IFIFO].contains(status.st_mode & S_IFMT)
        }
    }
}
