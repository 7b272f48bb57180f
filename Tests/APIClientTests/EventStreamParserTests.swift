import Testing

@testable import APIClient

@Suite("A stream of events reads the same in whatever pieces it comes")
struct EventStreamParserTests {
    private static let text = """
        retry: 2000\r
        \r
        : keep-alive
        id: s-1

        id: s-2
        event: job.changed
        data: {"a":
        data:  1}
        unknown: x

        data
        event: é

        """

    private static let events = [
        StreamedEvent(id: "s-2", type: "job.changed", data: "{\"a\":\n 1}"),
        StreamedEvent(id: "s-2", type: "é", data: ""),
    ]

    private static func events(_ pieces: [[UInt8]]) throws -> ([StreamedEvent], EventStreamParser) {
        var parser = EventStreamParser()
        var events: [StreamedEvent] = []
        for piece in pieces { events += try parser.take(piece) }
        return (events, parser)
    }

    @Test("however it is cut in two", arguments: ["\n", "\r\n", "\r"])
    func pieces(_ ending: String) throws {
        let lines = Self.text.split(omittingEmptySubsequences: false) { $0.isNewline }
        let bytes = Array((lines.joined(separator: ending) + ending).utf8)
        for cut in 0...bytes.count {
            let (events, parser) = try Self.events([Array(bytes[..<cut]), Array(bytes[cut...])])
            #expect(events == Self.events, "cut at \(cut)")
            #expect(parser.lastID == "s-2")
            #expect(parser.retryMilliseconds == 2000)
        }
        #expect(try Self.events(bytes.map { [$0] }).0 == Self.events)
    }

    @Test("what is not whole does not count, not even its id")
    func cutShort() throws {
        var parser = EventStreamParser(lastID: "s-1")
        let none = try parser.take("id: s-2\ndata: x\n".utf8)
        #expect(none.isEmpty)
        #expect(parser.lastID == "s-1")
        let one = try parser.take("\n".utf8)
        #expect(one.map(\.data) == ["x"])
        #expect(parser.lastID == "s-2")
    }

    @Test("an id alone moves the position on and is no event")
    func idAlone() throws {
        var parser = EventStreamParser()
        let events = try parser.take(": keep-alive\nid: s-9\n\n".utf8)
        #expect(events.isEmpty)
        #expect(parser.lastID == "s-9")
    }

    @Test("an id that could not stand in a header is none", arguments: ["a\u{0}b", "a\tb", "ä"])
    func ids(_ id: String) throws {
        var parser = EventStreamParser(lastID: "s-1")
        let events = try parser.take("id: \(id)\ndata: x\n\n".utf8)
        #expect(events.map(\.id) == ["s-1"])
    }

    @Test("a mark of byte order at the start is passed over")
    func byteOrderMark() throws {
        var parser = EventStreamParser()
        let events = try parser.take("\u{FEFF}data: x\n\n".utf8)
        #expect(events.map(\.data) == ["x"])
    }

    @Test("neither a line nor an event grows over the limit")
    func limits() throws {
        for text in [
            String(repeating: "x", count: 101), String(repeating: "data: 12345\n", count: 30),
        ] {
            var parser = EventStreamParser(byteLimit: 100)
            #expect(throws: EventStreamParser.TooLong.self) { _ = try parser.take(text.utf8) }
        }
        var parser = EventStreamParser(byteLimit: 100)
        for _ in 0..<1000 {
            let events = try parser.take("data: 1\n\n".utf8)
            #expect(events.count == 1)
        }
    }

    @Test("what is no number of milliseconds is no wait", arguments: ["-1", "", "2s", "9e9"])
    func waits(_ text: String) throws {
        var parser = EventStreamParser()
        let events = try parser.take("retry: \(text)\n\n".utf8)
        #expect(events.isEmpty)
        #expect(parser.retryMilliseconds == nil)
    }
}
