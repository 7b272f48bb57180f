import Dispatch
import Glibc
import HTTPServer
import ManagementAPI
import Synchronization
import Testing

@Suite("Answers that come bit by bit reach the client as they come") struct StreamedAnswerTests {
    private func server(
        _ body: GivenBody,
        _ change: (inout HTTPServer.Options) -> Void = { _ in }
    ) throws -> ServerUnderTest {
        try ServerUnderTest(
            options: change,
            answers: { $0.rawPath == "/stream" ? body.answer : nil }
        )
    }

    private static let request = "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"

    @Test("bytes of unknown number are chunked, arrive while others wait, and end with the body")
    func chunked() throws {
        let body = GivenBody()
        let server = try server(body)
        let client = try server.connect()
        try client.send(Self.request)
        let head = try #require(try client.readAnswer(hasBody: false))
        #expect(head.status == 200)
        #expect(head.headers["transfer-encoding"] == "chunked")
        #expect(head.headers["content-type"] == "text/event-stream")
        for number in 0..<5 {
            try body.awaitWait()
            body.give("event \(number)\n")
            #expect(try client.readChunk() == "event \(number)\n")
            #expect(try server.connect().ask()?.status == 200)
        }
        body.end()
        #expect(try client.readChunk() == "")
        #expect(try client.ask("GET", "/next")?.body == "GET /next 0:", "the connection goes on")
        try body.awaitEnd()
        #expect(body.endCount == 1)
    }

    @Test(
        "a client that hangs up between two bytes gives its place free, while one older stays idle",
        arguments: [nil, 100]
    )
    func abandoned(byteCount: UInt64?) throws {
        let body = GivenBody(byteCount: byteCount)
        let server = try server(body) {
            // Both on the same thread, and nobody has to go for another.
            $0.threadCount = 1
            $0.connectionLimit = 2
            $0.idleTimeout = .seconds(60)
            $0.idleGrace = .seconds(60)
        }
        let older = try server.connect()
        #expect(try older.ask()?.status == 200)
        do {
            let client = try server.connect()
            try client.send(Self.request)
            try body.awaitWait()
        }
        #expect(try server.connect().ask("GET", "/next")?.body == "GET /next 0:")
        #expect(try older.ask()?.status == 200)
    }

    @Test("a body of known length has a Content-Length and the connection goes on after it")
    func counted() throws {
        let body = GivenBody(byteCount: 11)
        let server = try server(body)
        let client = try server.connect()
        try client.send(Self.request)
        try body.awaitWait()
        body.give("hello")
        try body.awaitWait()
        body.give(" world")
        let answer = try #require(try client.readAnswer())
        #expect(answer.headers["content-length"] == "11")
        #expect(answer.headers["transfer-encoding"] == nil)
        #expect(answer.body == "hello world")
        #expect(try client.ask("GET", "/next")?.body == "GET /next 0:")
        try body.awaitEnd()
        #expect(body.endCount == 1)
    }

    @Test("an empty body is one, counted or not", arguments: [true, false])
    func empty(isCounted: Bool) throws {
        let body = GivenBody(byteCount: isCounted ? 0 : nil)
        body.end()
        let server = try server(body)
        let client = try server.connect()
        try client.send(Self.request)
        if isCounted {
            #expect(try client.readAnswer()?.body == "")
        } else {
            _ = try client.readAnswer(hasBody: false)
            #expect(try client.readChunk() == "")
        }
        #expect(try client.ask("GET", "/next")?.status == 200)
        try body.awaitEnd()
    }

    @Test("HEAD says the length and reads nothing", arguments: [UInt64(11), nil])
    func head(byteCount: UInt64?) throws {
        let body = GivenBody(byteCount: byteCount)
        let server = try server(body)
        let client = try server.connect()
        let answer = try #require(try client.ask("HEAD", "/stream"))
        #expect(answer.status == 200)
        #expect(answer.headers["content-length"] == byteCount.map { "\($0)" })
        if byteCount == nil {
            // Without a length the connection ends, with nothing after the head.
            #expect(try client.readByte() == nil)
        } else {
            #expect(try client.ask("GET", "/next")?.body == "GET /next 0:", "no body was left")
        }
        try body.awaitEnd()
        #expect(body.readCount == 0)
        #expect(body.endCount == 1)
    }

    @Test("an HTTP/1.0 client gets the bytes as they are, and the end of the connection")
    func http10() throws {
        let body = GivenBody()
        let server = try server(body)
        let client = try server.connect()
        try client.send("GET /stream HTTP/1.0\r\nHost: localhost\r\n\r\n")
        let head = try #require(try client.readAnswer(hasBody: false))
        #expect(head.headers["transfer-encoding"] == nil)
        try body.awaitWait()
        body.give("one")
        #expect(try client.read(3) == Array("one".utf8))
        body.end()
        #expect(client.readsToEnd())
        try body.awaitEnd()
    }

    @Test("a body that fails cuts its client off before the end", arguments: [UInt64(100), nil])
    func failed(byteCount: UInt64?) throws {
        let body = GivenBody(byteCount: byteCount)
        let server = try server(body)
        let client = try server.connect()
        try client.send(Self.request)
        _ = try client.readAnswer(hasBody: false)
        body.give("some")
        if byteCount == nil {
            #expect(try client.readChunk() == "some")
        } else {
            #expect(try client.read(4) == Array("some".utf8))
        }
        body.end(.failed)
        #expect(try client.readByte() == nil, "neither more bytes nor a last chunk")
        try body.awaitEnd()
        #expect(body.endCount == 1)
        #expect(try server.connect().ask()?.status == 200)
    }

    @Test("a body that ends before its length does not pass for a whole one")
    func short() throws {
        let body = GivenBody(byteCount: 100)
        body.give("some")
        body.end()
        let server = try server(body)
        let client = try server.connect()
        try client.send(Self.request)
        _ = try client.readAnswer(hasBody: false)
        #expect(try client.read(100) == Array("some".utf8))
        try body.awaitEnd()
    }

    @Test("a long answer arrives whole at a client that reads slowly, and is not read ahead of it")
    func slowReader() throws {
        let directory = try ScratchDirectory()
        let length = 4 << 20
        for isCounted in [true, false] {
            let body = LongBody(length, isCounted: isCounted)
            let server = try ServerUnderTest(
                "unix:\(directory.path)/s",
                answers: {
                    guard $0.rawPath == "/stream" else { return nil }
                    return APIResponse(status: 200, headers: [], streaming: body)
                }
            )
            let client = try server.connect()
            try client.send(Self.request)
            _ = try client.readAnswer(hasBody: false)
            // The sockets' buffers are full now, and others are served in the meantime.
            #expect(try server.connect().ask()?.status == 200)
            #expect(body.readByteCount < length, "the rest waits for the client")
            var bytes: [UInt8] = []
            if isCounted {
                bytes = try client.read(length)
            } else {
                while let chunk = try client.readChunkBytes(), !chunk.isEmpty { bytes += chunk }
            }
            #expect(bytes.count == length)
            #expect(!bytes.indices.contains { bytes[$0] != LongBody.byte($0) })
            try body.awaitEnd()
            #expect(body.endCount == 1)
        }
    }

    @Test("a client that takes nothing while bytes wait for it is cut off")
    func stalled() throws {
        let body = LongBody(1 << 30, isCounted: true)
        let server = try ServerUnderTest(
            options: { $0.answerTimeout = .milliseconds(100) },
            answers: { _ in APIResponse(status: 200, headers: [], streaming: body) }
        )
        let client = try server.connect()
        try client.send(Self.request)
        try body.awaitEnd()
        #expect(body.endCount == 1)
        #expect(try client.read(1 << 30).count < 1 << 30)
    }

    @Test("a client that waits for bytes is not cut off, whatever the timeouts")
    func patient() throws {
        let body = GivenBody()
        let server = try server(body) {
            $0.headTimeout = .milliseconds(50)
            $0.bodyTimeout = .milliseconds(50)
            $0.answerTimeout = .milliseconds(50)
            $0.idleTimeout = .milliseconds(50)
        }
        let client = try server.connect()
        try client.send(Self.request)
        _ = try client.readAnswer(hasBody: false)
        try body.awaitWait()
        // Others have come and been cut off in the meantime.
        for _ in 0..<4 { #expect(try server.connect().readsToEnd()) }
        body.give("at last")
        #expect(try client.readChunk() == "at last")
    }

    @Test(
        "a client that goes away while it waits for bytes is noticed, on TCP and on a UNIX socket"
    )
    func vanishing() throws {
        let directory = try ScratchDirectory()
        for listener in ["tcp:127.0.0.1:0", "unix:\(directory.path)/s"] {
            let body = GivenBody()
            let server = try ServerUnderTest(listener, answers: { _ in body.answer })
            do {
                let client = try server.connect()
                try client.send(Self.request)
                _ = try client.readAnswer(hasBody: false)
                try body.awaitWait()
            }
            // It never has another byte to give: the transport found out by itself.
            try body.awaitEnd()
            #expect(body.endCount == 1)
            body.give("to nobody")
        }
    }

    @Test("a client that goes away in the middle of a long answer ends it")
    func vanishingReader() throws {
        let body = LongBody(1 << 30, isCounted: true)
        let server = try ServerUnderTest(answers: { _ in
            APIResponse(status: 200, headers: [], streaming: body)
        })
        do {
            let client = try server.connect()
            try client.send(Self.request)
            _ = try client.read(100_000)
        }
        try body.awaitEnd()
        #expect(body.endCount == 1)
        #expect(body.readByteCount < 1 << 30)
    }

    @Test("an answer nobody takes any more is let go, too")
    func late() throws {
        let server = try ServerUnderTest()
        let client = try server.connect()
        try client.send("GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let reply = try server.requests.takeHeld()
        reply(ServerUnderTest.RequestLog.response(200, "first"))
        let second = GivenBody()
        reply(second.answer)
        try second.awaitEnd()
        #expect(try client.readAnswer()?.body == "first")
        let third = GivenBody()
        reply(third.answer)
        try third.awaitEnd()
        #expect(second.endCount == 1)
        #expect(third.endCount == 1)
        #expect(second.readCount + third.readCount == 0)
    }

    @Test("two hundred subscribers hear every event, and a stop ends them all")
    func subscribers() throws {
        let bodies = (0..<200).map { _ in GivenBody() }
        let next = Atomic(0)
        let server = try ServerUnderTest(
            options: { $0.stopGrace = .milliseconds(1) },
            answers: { _ in bodies[next.add(1, ordering: .relaxed).oldValue].answer }
        )
        let clients = try bodies.map { _ in try server.connect() }
        for client in clients {
            try client.send(Self.request)
            #expect(try client.readAnswer(hasBody: false)?.status == 200)
        }
        for round in 0..<3 {
            for body in bodies {
                try body.awaitWait()
                body.give("round \(round)")
            }
            for client in clients { #expect(try client.readChunk() == "round \(round)") }
        }
        for body in bodies { try body.awaitWait() }
        server.server.stop()
        for client in clients { #expect(try client.readChunk() == nil, "no last chunk: cut off") }
        for body in bodies {
            try body.awaitEnd()
            #expect(body.endCount == 1)
            body.give("too late")
        }
    }

    @Test("a body that ends itself when the server stops ends cleanly")
    func endedByItself() throws {
        let body = GivenBody()
        let server = try server(body) { $0.stopGrace = .seconds(20) }
        let client = try server.connect()
        try client.send(Self.request)
        _ = try client.readAnswer(hasBody: false)
        try body.awaitWait()
        body.end()
        server.server.stop()
        #expect(try client.readChunk() == "")
        #expect(client.readsToEnd())
    }

    @Test("stopping while bodies are given from other threads breaks nothing")
    func stopUnderLoad() throws {
        for _ in 0..<30 {
            let bodies = (0..<8).map { _ in GivenBody() }
            let next = Atomic(0)
            let server = try ServerUnderTest(
                options: { $0.stopGrace = .milliseconds(1) },
                answers: { _ in bodies[next.add(1, ordering: .relaxed).oldValue].answer }
            )
            let clients = try bodies.map { _ in try server.connect() }
            for client in clients { try client.send(Self.request) }
            for body in bodies { try body.awaitWait() }
            let isOver = Atomic(false)
            let group = DispatchGroup()
            for (index, body) in bodies.enumerated() {
                DispatchQueue(label: "giver-\(index)").async(group: group) {
                    while !isOver.load(ordering: .relaxed) { body.give("x") }
                }
            }
            server.server.stop()
            isOver.store(true, ordering: .relaxed)
            try #require(group.wait(timeout: .now() + 60) == .success)
            for body in bodies {
                try body.awaitEnd()
                #expect(body.endCount == 1)
            }
        }
    }
}
