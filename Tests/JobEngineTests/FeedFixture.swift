import Foundation
import JobStore
import MigrationCore
import MigrationPorts
import Testing

@testable import JobEngine

/// A feed over a real store in a directory of its own, without an engine.
final class FeedFixture {
    let store: TapedStore
    let feed: EventFeed
    let encoded = DoneCount()
    private let directory: String

    /// Heartbeats come once an hour unless a test asks for more, so that none covers up a lost wake.
    init(
        kept: Int = 100_000,
        _ configure: (inout EngineConfiguration) -> Void = { _ in }
    ) throws {
        directory = NSTemporaryDirectory() + "ferry-feed-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        var retention = EventRetention()
        retention.count = kept
        let database = try SQLiteJobStore(path: directory + "/ferry.sqlite", retention: retention)
        store = TapedStore(database, Tape())
        var configuration = EngineConfiguration()
        configuration.eventHeartbeatMilliseconds = 3_600_000
        configure(&configuration)
        feed = EventFeed(store: store, configuration: configuration, clock: MachineClock())
        feed.encode { [encoded] event in
            _ = encoded.add()
            return Array("\(event.sequence)".utf8)
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Commits so many events, each alone, as the engine does.
    func commit(_ count: Int = 1) throws {
        for _ in 0..<count { try Self.commit(to: feed) }
    }

    static func commit(to feed: EventFeed) throws {
        let event = try event()
        try feed.telling { () throws(Problem) in
            try feed.store.apply(StoreChange(events: [event]), .process)
        }
    }

    static func event() throws -> Event {
        let topic = Event.Topic.imageChanged(try #require(ImageID("image-1")), exists: true)
        return Event(at: MachineClock().timestamp(), topic: topic)
    }
}

extension EventSubscription {
    /// The next thing, when there is one, unless the time of its test is over before.
    func read() async throws -> EventRead {
        while true {
            try Task.checkCancellation()
            let wait = OneWait<EventRead>()
            let read: EventRead? = await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    wait.begin(continuation)
                    let read = next { wait.end(with: nil) }
                    if case .later = read { return }
                    wait.end(with: read)
                }
            } onCancel: {
                wait.end(with: nil)
            }
            if let read { return read }
        }
    }

    /// The next things, in words.
    func told(_ count: Int) async throws -> [String] {
        var told: [String] = []
        while told.count < count { told.append(try await read().words) }
        return told
    }
}

extension EventRead {
    var words: String {
        switch self {
        case .event(let event): String(decoding: event.text, as: UTF8.self)
        case .ready(let sequence): "ready \(sequence)"
        case .gap(let sequence, let oldest): "gap \(sequence) oldest \(oldest)"
        case .heartbeat(let sequence): "heartbeat \(sequence.map { "\($0)" } ?? "?")"
        case .later: "later"
        case .end: "end"
        case .failed: "failed"
        }
    }
}
