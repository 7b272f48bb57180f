import Dispatch
import Glibc
import ManagementAPI
import Synchronization
import Testing

@testable import HTTPServer

@Suite("Bodies that go bit by bit reach their sink") struct UploadTests {
    private func server(
        _ sink: TestSink,
        byteLimit: UInt64 = 1 << 30,
        options: (inout HTTPServer.Options) -> Void = { _ in }
    ) throws -> ServerUnderTest {
        try ServerUnderTest(
            options: options,
            openBody: {
                $0.rawPath == "/up" ? .stream(sink, byteLimit: byteLimit) : .collect
            }
        )
    }

    private static func head(_ framing: String) -> String {
        "PUT /up HTTP/1.1\r\nHost: localhost\r\n\(framing)\r\n\r\n"
    }

    private static let body = (0..<3_000_000).map { LongBody.byte($0) }

    @Test("a body longer than every buffer and limit of collected ones arrives whole, by length")
    func long() throws {
        let sink = TestSink()
        let server = try server(sink) { $0.bodyByteLimit = 1000 }
        let client = try server.connect()
        try client.send(Self.head("Content-Length: \(Self.body.count)"))
        try client.send(Self.body)
        #expect(try client.readAnswer()?.body == "took \(Self.body.count)")
        #expect(sink.taken == Self.body)
        #expect(sink.finishCount == 1)
        #expect(sink.abandonCount == 0)
        #expect(try client.ask("GET", "/next")?.body == "GET /next 0:", "the connection goes on")
        #expect(server.requests.seen == ["GET /next 0:"], "the sink answers, not the API")
    }

    @Test("a body arrives whole by chunks, in pieces and byte by byte")
    func chunks() throws {
        let sink = TestSink()
        let server = try server(sink)
        let client = try server.connect()
        let text = "5\r\nhello\r\n1;note=x\r\n \r\n5\r\nworld\r\n0\r\nTrailer: x\r\n\r\n"
        try client.send(Self.head("Transfer-Encoding: chunked"))
        for byte in Array(text.utf8) { try client.send([byte]) }
        #expect(try client.readAnswer()?.body == "took 11")
        #expect(sink.taken == Array("hello world".utf8))
    }

    @Test("an empty body is finished, too", arguments: ["Content-Length: 0", ""])
    func empty(framing: String) throws {
        let sink = TestSink()
        let server = try server(sink)
        let client = try server.connect()
        try client.send(
            "PUT /up HTTP/1.1\r\nHost: localhost\r\n\(framing.isEmpty ? "" : framing + "\r\n")\r\n"
        )
        #expect(try client.readAnswer()?.body == "took 0")
    }

    @Test(
        "a sink without room stops the client, and loses nothing",
        arguments: ["Content-Length: 3000000", "Transfer-Encoding: chunked"]
    )
    func backpressure(framing: String) throws {
        let sink = TestSink(room: 100_000)
        let server = try server(sink)
        let client = try server.connect()
        let sent = DispatchSemaphore(value: 0)
        DispatchQueue(label: "sender").async {
            try? client.send(Self.head(framing))
            if framing.hasPrefix("T") {
                for start in stride(from: 0, to: Self.body.count, by: 30_000) {
                    try? client.send("7530\r\n")
                    try? client.send(Array(Self.body[start..<start + 30_000]))
                    try? client.send("\r\n")
                }
                try? client.send("0\r\n\r\n")
            } else {
                try? client.send(Self.body)
            }
            sent.signal()
        }
        try sink.awaitOffer()
        let taken = sink.taken.count
        #expect(taken <= 100_000)
        #expect(try server.connect().ask()?.status == 200, "others are served in the meantime")
        #expect(sink.taken.count == taken, "it was not asked again before it said so")
        sink.makeRoom(200_000)
        try sink.awaitOffer()
        sink.makeRoom(.max)
        #expect(try client.readAnswer()?.body == "took \(Self.body.count)")
        #expect(sink.taken == Self.body)
        try #require(sent.wait(timeout: .now() + 60) == .success)
    }

    @Test("a client is not late while its sink has no room")
    func waitingForRoom() throws {
        let sink = TestSink(room: 0)
        let server = try server(sink) {
            $0.bodyTimeout = .milliseconds(50)
            $0.headTimeout = .milliseconds(50)
        }
        let client = try server.connect()
        try client.send(Self.head("Content-Length: 5") + "hello")
        try sink.awaitOffer()
        // Others have come and been cut off in the meantime.
        for _ in 0..<4 { #expect(try server.connect().readsToEnd()) }
        sink.makeRoom(.max)
        #expect(try client.readAnswer()?.body == "took 5")
    }

    @Test("a body that is too long by its length is refused before it is sent, without a 100")
    func tooLongByLength() throws {
        let sink = TestSink()
        let server = try server(sink, byteLimit: 1000)
        let client = try server.connect()
        try client.send(Self.head("Expect: 100-continue\r\nContent-Length: 1001"))
        let answer = try #require(try client.readAnswer())
        #expect(answer.status == 413)
        #expect(answer.body == "/up: bodyTooLarge(limit: 1000)")
        #expect(client.readsToEnd())
        try sink.awaitEnd()
        #expect(sink.abandonCount == 1)
        #expect(sink.finishCount == 0)
        #expect(sink.taken.isEmpty)
    }

    @Test("a body that gets too long by its chunks is refused where it does")
    func tooLongByChunks() throws {
        let sink = TestSink()
        let server = try server(sink, byteLimit: 100_000)
        let client = try server.connect()
        try client.send(Self.head("Transfer-Encoding: chunked"))
        let chunk = "2710\r\n" + String(repeating: "c", count: 10_000) + "\r\n"
        for _ in 0..<200 { try client.send(chunk) }
        let answer = try #require(try client.readAnswer())
        #expect(answer.status == 413)
        #expect(client.readsToEnd(), "closed, not reset")
        try sink.awaitEnd()
        #expect(sink.abandonCount == 1)
        #expect(sink.finishCount == 0)
        #expect(sink.taken.count <= 100_000)
    }

    @Test("a client that asks first is told to go on when its body is wanted")
    func continues() throws {
        let sink = TestSink()
        let server = try server(sink)
        let client = try server.connect()
        try client.send(Self.head("Expect: 100-continue\r\nContent-Length: 2"))
        #expect(try client.readAnswer()?.status == 100)
        try client.send("ok")
        #expect(try client.readAnswer()?.body == "took 2")
    }

    @Test(
        "a body that is not wanted is refused at once, without a 100, and the client can read why"
    )
    func refused() throws {
        let server = try ServerUnderTest(openBody: { request in
            .refuse(ServerUnderTest.RequestLog.response(403, "not \(request.rawPath)"))
        })
        let asking = try server.connect()
        try asking.send(Self.head("Expect: 100-continue\r\nContent-Length: 100"))
        #expect(try asking.readAnswer()?.body == "not /up")
        #expect(asking.readsToEnd())
        let pushing = try server.connect()
        try pushing.send(Self.head("Content-Length: 3000000"))
        try pushing.send(Self.body)
        #expect(try pushing.readAnswer()?.status == 403)
        #expect(pushing.readsToEnd(), "closed, not reset")
        #expect(try server.connect().ask()?.status == 200, "a GET has no body to refuse")
        #expect(server.requests.seen == ["GET / 0:"])
    }

    @Test("a sink that has enough has its answer sent in the middle of the body")
    func refusedBySink() throws {
        let sink = TestSink(refusesAfter: 100_000)
        let server = try server(sink)
        let client = try server.connect()
        try client.send(Self.head("Content-Length: \(Self.body.count)"))
        try client.send(Self.body)
        #expect(try client.readAnswer()?.body == "full")
        #expect(client.readsToEnd(), "closed, not reset")
        try sink.awaitEnd()
        #expect(sink.abandonCount == 1)
        #expect(sink.finishCount == 0)
    }

    @Test("a client that vanishes has its body abandoned, whether it is waited for or waits")
    func vanishing() throws {
        for room in [Int.max, 0] {
            let sink = TestSink(room: room)
            let server = try server(sink)
            do {
                let client = try server.connect()
                try client.send(Self.head("Content-Length: 100") + "hello")
                if room == 0 { try sink.awaitOffer() }
            }
            if room == 0 { sink.makeRoom(.max) }
            try sink.awaitEnd()
            #expect(sink.abandonCount == 1)
            #expect(sink.finishCount == 0)
            sink.makeRoom(.max)
            #expect(try server.connect().ask()?.status == 200)
        }
    }

    @Test("a body that stops is cut off, and so is one that drips below the floor of its rate")
    func slow() throws {
        for drips in [false, true] {
            let sink = TestSink()
            let server = try server(sink) {
                $0.bodyTimeout = .milliseconds(100)
                $0.uploadRateFloor = 1 << 20
            }
            let client = try server.connect()
            try client.send(Self.head("Content-Length: 100000"))
            // A byte each time that the one before was taken.
            while drips, sink.abandonCount == 0 {
                do { try client.send("x") } catch { break }
                try sink.awaitPart()
            }
            try sink.awaitEnd()
            #expect(sink.abandonCount == 1)
        }
    }

    @Test("every byte earns a slow client some time, and never more than it had at first")
    func earning() {
        var options = HTTPServer.Options()
        options.bodyTimeout = .seconds(4)
        options.uploadRateFloor = 1
        let start = MonotonicTime.now
        var pace = UploadPace(options, at: start)
        for second in 1...10 {
            #expect(pace.didTake(1, at: start + .seconds(second)) == .seconds(4))
        }
        #expect(pace.didTake(1, at: start + .seconds(13)) == .seconds(2))
        // What the client waits for us is not its time.
        pace.willWait(at: start + .seconds(14))
        #expect(pace.didTake(0, at: start + .seconds(99)) == .seconds(1))
        #expect(pace.didTake(0, at: start + .seconds(200)) == .zero)
    }

    @Test("a stop abandons the bodies that are not through, waiting ones too")
    func stop() throws {
        for room in [Int.max, 0] {
            let sinks = (0..<20).map { _ in TestSink(room: room) }
            let next = Atomic(0)
            let server = try ServerUnderTest(
                options: { $0.stopGrace = .milliseconds(1) },
                openBody: { _ in
                    .stream(sinks[next.add(1, ordering: .relaxed).oldValue], byteLimit: 1 << 30)
                }
            )
            let clients = try sinks.map { _ in try server.connect() }
            for client in clients { try client.send(Self.head("Content-Length: 100") + "hello") }
            for sink in sinks { try room == 0 ? sink.awaitOffer() : sink.awaitPart() }
            server.server.stop()
            for sink in sinks {
                try sink.awaitEnd()
                #expect(sink.abandonCount == 1)
                #expect(sink.finishCount == 0)
                sink.makeRoom(.max)
            }
        }
    }

    @Test("no descriptor is left of uploads and streams that ended badly")
    func descriptors() throws {
        let body = LongBody(1 << 30, isCounted: true)
        let sink = TestSink()
        let server = try ServerUnderTest(
            answers: { request in
                guard request.rawPath == "/stream" else { return nil }
                return APIResponse(status: 200, headers: [], streaming: body)
            },
            openBody: { _ in .stream(sink, byteLimit: 1000) }
        )
        let port = try #require(server.address.split(separator: ":").last.flatMap { UInt16($0) })
        for _ in 0..<20 {
            let upload = try server.connect()
            try upload.send(Self.head("Content-Length: 100") + "half")
            let refused = try server.connect()
            try refused.send(Self.head("Content-Length: 1001"))
            #expect(try refused.readAnswer()?.status == 413)
            let stream = try server.connect()
            try stream.send("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            _ = try stream.read(1000)
        }
        server.server.stop()
        #expect(OpenSockets.count(onPort: port) == 0)
    }
}
