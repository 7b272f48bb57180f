import Foundation
import HTTPServer
import JobEngine
import JobStore
import ManagementAPI
import MigrationCore
import MigrationPorts
import SimulatedDevices
import StateTransfer
import Testing

/// A whole daemon but for its program: an engine, its API and a server.
private final class DaemonUnderTest {
    let engine: Engine
    let server: HTTPServer
    private let directory: String

    init() throws {
        directory = NSTemporaryDirectory() + "ferry-follow-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        engine = try Engine(
            configuration: EngineConfiguration(),
            backends: [SimulatedBackend([try SimulationSpec.parse("mlx5:count=2,state=64KiB")])],
            store: SQLiteJobStore(path: directory + "/ferry.sqlite"),
            images: ImageDirectory(path: directory + "/images"),
            clock: MachineClock()
        )
        var options = HTTPServer.Options()
        options.allowsAnonymousLoopback = true
        server = try HTTPServer(
            listener: ListenAddress("tcp:127.0.0.1:0"),
            options: options,
            api: ManagementAPI(engine: engine)
        )
    }

    deinit {
        engine.endWaits()
        server.stop()
        try? FileManager.default.removeItem(atPath: directory)
    }

    func reset() throws {
        let device = try #require(DeviceID("sim-0"))
        _ = try engine.submit(JobSpec(work: .reset(devices: [device])), requestedBy: "test")
    }
}

@Suite("Many clients follow the events of a whole daemon", .timeLimit(.minutes(10)), .serialized)
struct FollowTests {
    /// A client that follows events, and what it was told.
    private final class Follower {
        let client: RawClient
        private(set) var told = ""

        init(_ daemon: DaemonUnderTest, _ headers: String = "") throws {
            client = try RawClient(daemon.server.boundAddress)
            try client.send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n")
            let head = try #require(try client.readAnswer(hasBody: false))
            #expect(head.status == 200)
            #expect(head.headers["content-type"] == "text/event-stream")
        }

        /// Reads until a text was told so often; false when the stream ends before.
        @discardableResult
        func read(until text: String, times: Int = 1) throws -> Bool {
            let deadline = ContinuousClock.now + .seconds(120)
            while told.ranges(of: text).count < times {
                // Signs of life go on for ever.
                try #require(ContinuousClock.now < deadline, "nobody told of \(text)")
                guard let chunk = try client.readChunk(), !chunk.isEmpty else { return false }
                told += chunk
            }
            return true
        }

        /// What was told behind `ready`.
        var events: Substring {
            guard let ready = told.firstRange(of: "event: ready") else { return "" }
            return told[ready.upperBound...].drop { $0 != "\n" }.dropFirst()
                .drop { $0 != "\n" }.dropFirst(2)
        }
    }

    @Test("200 of them are told the same, whether others go or not, and a stop ends them cleanly")
    func crowd() throws {
        let daemon = try DaemonUnderTest()
        var followers = try (0..<200).map { _ in try Follower(daemon) }
        for follower in followers {
            #expect(try follower.read(until: "event: ready"))
        }
        try daemon.reset()
        for follower in followers {
            #expect(try follower.read(until: #""state":"succeeded""#))
        }
        followers.removeLast(100)
        try daemon.reset()
        for follower in followers {
            #expect(try follower.read(until: #""state":"succeeded""#, times: 2))
        }
        daemon.engine.endWaits()
        daemon.server.stop()
        for follower in followers {
            #expect(try !follower.read(until: "no such text"), "the stream ends")
            #expect(follower.client.readsToEnd())
            #expect(follower.events == followers[0].events)
        }
        #expect(followers[0].events.contains("event: session.changed"))
    }

    @Test("a client that was gone is told what it missed, and HEAD tells nothing")
    func comeBack() throws {
        let daemon = try DaemonUnderTest()
        let first = try Follower(daemon)
        try first.read(until: "event: ready")
        try daemon.reset()
        try first.read(until: #""state":"succeeded""#)
        let id = try #require(first.told.split(separator: "\n").first { $0.hasPrefix("id: ") })
        let again = try Follower(daemon, "Last-Event-ID: \(id.dropFirst(4))\r\n")
        try again.read(until: "event: ready")
        let missed = try #require(again.told.firstRange(of: "\n\n")).upperBound
        #expect(again.told[missed...].hasPrefix(first.events))
        let client = try RawClient(daemon.server.boundAddress)
        try client.send("HEAD /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let head = try #require(try client.readAnswer(hasBody: false))
        #expect(head.status == 200)
        #expect(head.headers["content-type"] == "text/event-stream")
        #expect(try client.readByte() == nil)
    }
}
