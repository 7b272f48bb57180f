import MigrationCore
import MigrationPorts
import Testing

@testable import JobEngine

@Suite("Events of devices", .timeLimit(.minutes(10)))
struct DeviceEventTests {
    private func ids(_ count: Int) throws -> [DeviceID] {
        try (0..<count).map { try #require(DeviceID("pci-\($0)")) }
    }

    @Test("those that went are told of before those that changed, each once")
    func order() async throws {
        let fixture = try EngineFixture("mlx5:count=1,state=64KiB")
        let engine = fixture.engine
        let subscription = try engine.events.subscribe(from: .now)
        guard case .ready = try await subscription.read() else {
            Issue.record("not ready")
            return
        }
        let devices = try ids(3)
        let changes = DeviceChanges(gone: [devices[2]], changed: [devices[0], devices[1]])
        #expect(engine.didChange(changes))
        var topics: [Event.Topic] = []
        while topics.count < 3 {
            let read = try await subscription.read()
            if case .event(let published) = read, let event = published.event {
                topics.append(event.topic)
            }
        }
        #expect(
            topics == [
                .deviceGone(devices[2]), .deviceChanged(devices[0]), .deviceChanged(devices[1]),
            ]
        )
    }

    @Test("ten thousand at once are written in a few transactions, and none is left out")
    func flood() throws {
        let fixture = try EngineFixture(["mlx5:count=1,state=64KiB"]) {
            $0.deviceEventBatchCount = 4096
        }
        let before = try fixture.store.eventSpan().newest
        fixture.tape.start()
        #expect(fixture.engine.didChange(DeviceChanges(gone: [], changed: try ids(10_000))))
        #expect(try fixture.store.eventSpan().newest == before + 10_000)
        #expect(fixture.tape.writeCount == 3)
    }
}
