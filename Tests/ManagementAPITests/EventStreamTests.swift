import APISchema
import JSONCoding
import JobEngine
import MigrationCore
import Synchronization
import Testing

@testable import ManagementAPI

@Suite("The event stream is what the contract says", .timeLimit(.minutes(10)))
struct EventStreamTests {
    private let engine: EngineUnderTest

    init() throws { engine = try EngineUnderTest("mlx5:count=2,state=64KiB,seed=7") }

    private func follow(_ query: String? = nil, lastEventID: String? = nil) async throws
        -> StreamReader
    {
        let headers = lastEventID.map { [("last-event-id", $0)] } ?? []
        let response = try await engine.ask("GET", "/v1/events", query, headers: headers)
        #expect(response.status == 200)
        #expect(response.header("Content-Type") == "text/event-stream")
        #expect(response.header("Cache-Control") == "no-store")
        guard case .streamed(let body) = response.content else {
            throw Problem(.internalError, "The answer is no stream.")
        }
        return StreamReader(body)
    }

    /// Follows what happens from now on: only who was told where it is misses nothing of what is
    /// done next.
    private func followFromHere() async throws -> StreamReader {
        let reader = try await follow()
        while try await reader.block().type != "ready" {}
        return reader
    }

    private func reset() async throws -> String {
        let body = #"{"kind":"reset","devices":[{"source":"sim-0"}]}"#
        let job = try await engine.ask(
            "POST",
            "/v1/jobs",
            body: body,
            for: JobDTO.self,
            status: 202
        )
        return job.id
    }

    /// Runs a job and reads until it has ended; what was told of it.
    private func events(of reader: StreamReader) async throws -> [Block] {
        let job = try await reset()
        var blocks: [Block] = []
        while blocks.last?.event?.state != "succeeded" {
            let block = try await reader.block()
            if let event = block.event, event.type != "ready" { blocks.append(block) }
        }
        #expect(blocks.last?.event?.job == job)
        return blocks
    }

    @Test("it begins with how long to wait and where it is, and goes on with what changes")
    func whole() async throws {
        let reader = try await follow()
        #expect(try await reader.text() == "retry: 2000")
        let ready = try await reader.block()
        #expect(ready.event?.type == "ready")
        let blocks = try await events(of: reader)
        let types = Set(blocks.map(\.type))
        #expect(types == ["job.changed", "session.changed"])
        for block in [ready] + blocks {
            let event = try #require(block.event)
            #expect(event.id == block.id)
            #expect(event.type == block.type)
            #expect(EventID(event.id)?.text == event.id)
        }
        let sequences = ([ready] + blocks).compactMap { EventID($0.id)?.sequence }
        #expect(zip(sequences, sequences.dropFirst()).allSatisfy { $1 == $0 + 1 })
    }

    @Test("whoever comes back, by header or parameter, is told the rest, the header first")
    func replay() async throws {
        let first = try await events(of: try await followFromHere())
        let middle = first[2].id
        for reader in [
            try await follow("after=\(middle)"), try await follow(lastEventID: middle),
            try await follow("after=\(first[5].id)", lastEventID: middle),
        ] {
            #expect(try await reader.text() == "retry: 2000")
            for block in first[3...] { #expect(try await reader.block() == block) }
            #expect(try await reader.block().type == "ready")
        }
    }

    @Test(
        "a cursor that is none of this store's is a gap and no error",
        arguments: ["x", "-", "-1", "1", "deadbeef-1", "%F0%9F%9A%A2", "a-99999999999999999999"]
    )
    func gap(cursor: String) async throws {
        let known = try await events(of: try await followFromHere())
        let last = try #require(known.last?.id)
        let reader = try await follow("after=\(cursor)")
        #expect(try await reader.text() == "retry: 2000")
        let gap = try await reader.block()
        #expect(gap.event?.type == "gap")
        #expect(gap.id == last)
        let oldest = try #require(gap.event?.oldest)
        #expect(try await reader.block().type == "ready")
        // All that is kept, from the first event of this store on.
        let all = try await follow(lastEventID: oldest)
        #expect(try await all.text() == "retry: 2000")
        var told = 0
        while try await all.block().id != last { told += 1 }
        #expect(told >= known.count)
    }

    @Test("an empty cursor is none")
    func emptyCursor() async throws {
        let reader = try await follow("after=", lastEventID: "")
        #expect(try await reader.text() == "retry: 2000")
        #expect(try await reader.block().type == "ready")
    }

    @Test("a filter picks events by their fields, and its reader's place moves on all the same")
    func filter() async throws {
        let everything = try await follow()
        _ = try await everything.text()
        _ = try await everything.block()
        let query = "filter=type%3Djob.changed%20and%20state%3Dsucceeded"
        let reader = try await follow(query)
        #expect(try await reader.text() == "retry: 2000")
        #expect(try await reader.block().type == "ready")
        let all = try await events(of: everything)
        let only = try await reader.block()
        #expect(only == all.last)
        let none = try await follow("filter=job%3Dnone&after=\(all[0].id)")
        #expect(try await none.text() == "retry: 2000")
        let ready = try await none.block()
        #expect(ready.type == "ready")
        #expect(ready.id == all.last?.id)
    }

    @Test("a filter that passes over much gives the thread back at times, and its reader a place")
    func longPassing() async throws {
        let first = try await events(of: try await followFromHere())
        var last: [Block] = []
        let enough = sequence(first) + Int64(2 * EventStream.passingLimit)
        while sequence(last) <= enough {
            last = try await events(of: try await followFromHere())
        }
        let reader = try await follow("filter=job%3Dnone&after=\(first[0].id)")
        #expect(try await reader.text() == "retry: 2000")
        var places: [Int64] = []
        var text = try await reader.text()
        while text.hasPrefix(": keep-alive") {
            places.append(try #require(EventID(try Block(text).id)).sequence)
            text = try await reader.text()
        }
        #expect(try Block(text).type == "ready")
        let from = try #require(EventID(first[0].id)).sequence
        let steps = zip([from] + places, places).map { $1 - $0 }
        #expect(!steps.isEmpty)
        #expect(steps.allSatisfy { (1...Int64(2 * EventStream.passingLimit)).contains($0) })
    }

    private func sequence(_ blocks: [Block]) -> Int64 {
        blocks.last.flatMap { EventID($0.id) }?.sequence ?? 0
    }

    @Test("a filter that cannot be read is refused, with where and what there is")
    func badFilter() async throws {
        let problem = try await engine.ask(
            "GET",
            "/v1/events",
            "filter=colour%3Dred",
            for: ProblemDTO.self,
            status: 400
        )
        #expect(problem.code == "bad-filter")
        #expect(problem.column == 1)
        #expect(problem.detail.contains("generation"))
    }

    @Test("signs of life have the id of the last event, told or not, and no data")
    func heartbeat() async throws {
        let engine = try EngineUnderTest("mlx5:count=1") { $0.eventHeartbeatMilliseconds = 10 }
        let response = try await engine.ask("GET", "/v1/events")
        guard case .streamed(let body) = response.content else {
            Issue.record("no stream")
            return
        }
        let reader = StreamReader(body)
        var ready: Block?
        while ready == nil {
            let text = try await reader.text()
            if text.contains("event: ready") { ready = try Block(text) }
        }
        let id = try #require(ready?.id)
        #expect(try await reader.text() == ": keep-alive\nid: \(id)")
        #expect(try await reader.text() == ": keep-alive\nid: \(id)")
    }

    @Test("a reader with little room gets the same bytes", arguments: [1, 3, 64, 65_536])
    func pieces(room: Int) async throws {
        let first = try await events(of: try await followFromHere())
        let again = try await follow(lastEventID: first[0].id)
        again.room = room
        #expect(try await again.text() == "retry: 2000")
        for block in first[1...] { #expect(try await again.block() == block) }
    }

    @Test("too many are told to wait, and one that ended makes room")
    func limit() async throws {
        let engine = try EngineUnderTest("mlx5:count=1") { $0.eventSubscriberLimit = 1 }
        let response = try await engine.ask("GET", "/v1/events")
        let refused = try await engine.ask("GET", "/v1/events")
        #expect(refused.status == 503)
        #expect(refused.header("Retry-After") == "5")
        guard case .streamed(let body) = response.content else {
            Issue.record("no stream")
            return
        }
        body.didEnd()
        #expect(try await engine.ask("GET", "/v1/events").status == 200)
    }

    @Test("an event that the store cannot read is a gap at its place")
    func unreadable() throws {
        let now = Timestamp(millisecondsSinceEpoch: 0)
        let text = EventText(store: "s").block(of: StoredEvent(sequence: 7, event: nil), at: now)
        let block = try Block(String(decoding: text.dropLast(2), as: UTF8.self))
        #expect(block.id == "s-7")
        #expect(block.event?.type == "gap")
        #expect(block.event?.oldest == "s-7")
    }

    @Test("an event that JSON cannot say is a gap at its place, and none that is left out")
    func unspeakable() throws {
        let now = Timestamp(millisecondsSinceEpoch: 0)
        let device = try #require(DeviceID("sim-0"))
        let event = Event(at: now, topic: .deviceAlert(device, "a\0b"))
        let text = EventText(store: "s").block(of: StoredEvent(sequence: 7, event: event), at: now)
        let block = try Block(String(decoding: text.dropLast(2), as: UTF8.self))
        #expect(block.id == "s-7")
        #expect(block.event?.type == "gap")
        #expect(block.event?.oldest == "s-7")
    }

    @Test("an event is one line of data, whatever its names hold")
    func oneLine() throws {
        let now = Timestamp(millisecondsSinceEpoch: 0)
        let device = try #require(DeviceID("sim-0"))
        let event = Event(at: now, topic: .deviceAlert(device, "a\nb\r\"c\u{2028}"))
        let text = EventText(store: "s").block(of: StoredEvent(sequence: 1, event: event), at: now)
        #expect(text.filter { $0 == 10 }.count == 4)
        #expect(!text.contains(13))
        let block = try Block(String(decoding: text.dropLast(2), as: UTF8.self))
        #expect(block.event?.alert == "a\nb\r\"c\u{2028}")
    }
}

/// One block of a stream, read as a client does.
struct Block: Equatable {
    var id = ""
    var type = ""
    var event: EventDTO?

    init(_ text: String) throws {
        for line in text.split(separator: "\n") {
            let field = line.prefix { $0 != ":" }
            let value = String(line.dropFirst(field.count + 1).drop { $0 == " " })
            switch field {
            case "id": id = value
            case "event": type = value
            case "data":
                event = try JSONReader.decode(
                    EventDTO.self,
                    from: Array(value.utf8),
                    unknownFields: .refuse
                )
            default: break
            }
        }
    }
}

/// Reads a streamed body as a transport does.
final class StreamReader {
    private let body: any StreamedBody
    private var unread: [UInt8] = []
    var room = 4096

    init(_ body: any StreamedBody) { self.body = body }

    deinit { body.didEnd() }

    /// What stands before the next empty line.
    func text() async throws -> String {
        while true {
            if let end = zip(unread.indices, zip(unread, unread.dropFirst()))
                .first(where: { $1 == (10, 10) })?.0
            {
                defer { unread.removeSubrange(...(end + 1)) }
                return String(decoding: unread[..<end], as: UTF8.self)
            }
            unread += try await more()
        }
    }

    func block() async throws -> Block { try Block(try await text()) }

    private func more() async throws -> [UInt8] {
        while true {
            // When the time of the test is over, a sign of life comes here.
            try Task.checkCancellation()
            let (body, room) = (body, room)
            let bytes: [UInt8]? = try await withCheckedThrowingContinuation {
                (continuation: CheckedContinuation<[UInt8]?, any Error>) in
                var answer = StreamedRead.later
                let bytes = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                    answer = unsafe body.read(into: UnsafeMutableRawBufferPointer(buffer)) {
                        continuation.resume(returning: nil)
                    }
                    if case .bytes(let read) = answer { count = read }
                }
                switch answer {
                case .bytes: continuation.resume(returning: bytes)
                case .later: break
                case .end, .failed:
                    continuation.resume(throwing: Problem(.internalError, "It has ended."))
                }
            }
            if let bytes { return bytes }
        }
    }
}
