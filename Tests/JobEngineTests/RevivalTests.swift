import Foundation
import MigrationCore
import MigrationPorts
import Testing

@testable import JobEngine

@Suite("Sessions of one address space outlive the daemon")
struct RevivalTests {
    private let directory = NSTemporaryDirectory() + "ferry-revival-\(UUID().uuidString)"

    private func world() throws -> MortalWorld {
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        return try MortalWorld(directory, "mlx5:count=4,state=64KiB", isSpaceShared: true)
    }

    /// The sessions of a first daemon, by the number of their devices.
    private func sessions(_ engine: Engine) -> [SessionID] {
        engine.sessions().sorted { $0.device.text < $1.device.text }.map(\.id)
    }

    @Test(
        "the file they share stays held, whoever of them leaves",
        arguments: [[0], [0, 1], [2, 0]]
    )
    func leaving(_ leavers: [Int]) throws {
        let world = try world()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let (first, life) = try world.daemon()
        let ids = sessions(first)
        #expect(ids.count == 4)
        for number in leavers {
            _ = try first.closeSession(ids[number], discardContent: true)
        }
        life.die()
        let (second, _) = try world.daemon()
        #expect(second.revivalFailures.isEmpty)
        let open = second.sessions().filter { $0.status == .open }.map(\.id)
        #expect(Set(open) == Set(ids).subtracting(leavers.map { ids[$0] }))
        #expect(world.keeper.kept.flatMap(\.files).filter { $0.name == "iommufd" }.count == 1)
    }

    @Test("a session whose file the keeper does not take again says so")
    func refused() throws {
        let world = try world()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let (engine, _) = try world.daemon()
        let ids = sessions(engine)
        world.keeper.takeNoMore()
        _ = try engine.closeSession(ids[0], discardContent: true)
        let notes = try ids.dropFirst().map { try engine.session($0).note }
        #expect(notes.compactMap(\.self) == ["It will not outlive the daemon: the keeper is full"])
    }

    @Test("a hand-over that the keeper refuses ends its session and leaves nothing behind")
    func refusedHandOver() throws {
        let world = try world()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let (engine, life) = try world.daemon()
        let first = sessions(engine)[0]
        _ = try engine.closeSession(first, discardContent: true)
        world.keeper.takeNoMore()
        let device = try #require(DeviceID("sim-0"))
        #expect(throws: Problem.self) { _ = try engine.openSession(device: device, joining: nil) }
        life.die()
        let (second, _) = try world.daemon()
        #expect(second.revivalFailures.isEmpty)
        #expect(second.sessions().filter { $0.device == device && $0.status == .open }.isEmpty)
    }

    @Test("the last one lets everything go")
    func lastOne() throws {
        let world = try world()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let (engine, _) = try world.daemon()
        for id in sessions(engine) { _ = try engine.closeSession(id, discardContent: true) }
        #expect(world.keeper.kept.isEmpty)
    }

    @Test("a device that cannot go on stays held, and goes on when it can again")
    func held() throws {
        let world = try world()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let (first, life) = try world.daemon()
        let ids = sessions(first)
        life.die()
        let shared = try #require(
            world.keeper.kept.flatMap(\.files).first { $0.name == "iommufd" }
        )
        world.keeper.letGo(["iommufd"], of: ids[0])
        let (second, secondLife) = try world.daemon()
        #expect(Set(second.revivalFailures.keys) == Set(ids))
        #expect(Set(second.orphans.map(\.id)) == Set(ids))
        for id in ids {
            let session = try second.session(id)
            #expect(session.status == .open)
            #expect(session.content == .live)
            #expect(session.note?.hasPrefix("The service manager holds its files") == true)
        }
        secondLife.die()
        try world.keeper.keep([shared], of: ids[0])
        let (third, _) = try world.daemon()
        #expect(third.revivalFailures.isEmpty)
        #expect(try ids.allSatisfy { try third.session($0).status == .open })
    }
}
