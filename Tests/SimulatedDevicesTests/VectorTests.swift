import Foundation
import MigrationCore
import MigrationPorts
import SimulatedDevices
import Testing

/// One case of fsm-vectors.json of MigrationCoreTests, as a device shows it.
private struct Vector: Decodable {
    let flags: UInt64
    let frm: String
    let to: String
    let path: [String]?
    let errno: String?
    let newDescriptor: Bool
    let sessionEnds: Bool

    enum CodingKeys: String, CodingKey {
        case flags
        case frm
        case to
        case path
        case errno
        case newDescriptor = "new_fd"
        case sessionEnds = "session_ends"
    }

    static func all() throws -> [Vector] {
        let here = URL(filePath: #filePath).deletingLastPathComponent()
        let file = here.appending(path: "../MigrationCoreTests/fsm-vectors.json")
        return try JSONDecoder().decode([Vector].self, from: Data(contentsOf: file))
    }
}

@Suite("Simulated devices walk the kernel's state machine")
struct VectorTests {
    @Test("a device of every flag set does what the 189 vectors say")
    func vectors() throws {
        var shown = 0
        for vector in try Vector.all() {
            // The port has no way to ask for a number that is no state.
            guard let target = DeviceState(kernelName: vector.to) else { continue }
            try show(vector, target)
            shown += 1
        }
        #expect(shown > 160)
    }

    private func show(_ vector: Vector, _ target: DeviceState) throws {
        let from = try #require(DeviceState(kernelName: vector.frm))
        let (device, old) = try device(MigrationFlags(rawValue: vector.flags), in: from)
        let comment: Comment = "flags \(vector.flags): \(vector.frm) to \(vector.to)"
        if let refusal = vector.errno {
            #expect(try errno { _ = try device.set(target) }?.name == refusal, comment)
            #expect(try device.state() == .known(from), comment)
            return
        }
        let new = try device.set(target)
        #expect((new != nil) == vector.newDescriptor, comment)
        #expect(try device.state() == .known(target), comment)
        guard let old else { return }
        let isDead: Bool
        if from == .resuming {
            isDead = try errno { try old.writeAll([0]) } == .noDevice
        } else {
            isDead = try errno { _ = try old.readAll() } == .noDevice
        }
        #expect(isDead == vector.sessionEnds, comment)
    }

    /// A device in a state, with a complete stream behind it where that is RESUMING.
    private func device(
        _ flags: MigrationFlags,
        in state: DeviceState
    ) throws -> (any DeviceSession, (any MigrationStream)?) {
        // Blind like mlx5, so that a byte more is no error and shows whether the stream lives.
        var profile = DeviceProfile.mlx5
        profile.flags = flags
        let device = try Fixture([SimulationSpec(profile, stateByteCount: 256)])[0]
        let image = try device.save()
        _ = try device.set(.running)
        let stream = try device.set(state)
        if state == .resuming { try stream?.writeAll(image) }
        return (device, stream)
    }

    @Test("a failed step leaves the last one that was completed, and its streams dead or alive")
    func partialFailures() throws {
        for vector in try Vector.all() where vector.errno == nil {
            let path = try #require(vector.path)
            for failing in path.indices {
                try fail(vector, path, at: failing)
            }
        }
    }

    private func fail(_ vector: Vector, _ path: [String], at failing: Int) throws {
        let target = try #require(DeviceState(kernelName: vector.to))
        let start = try #require(DeviceState(kernelName: vector.frm))
        let states = try [start] + path.map { try #require(DeviceState(kernelName: $0)) }
        var profile = DeviceProfile.mlx5
        profile.flags = MigrationFlags(rawValue: vector.flags)
        let fixture = try Fixture([SimulationSpec(profile, stateByteCount: 256)])
        let device = try fixture[0]
        let stream = try device.set(start)
        fixture.backend.inject(
            Fault(.arc(from: states[failing], to: states[failing + 1]), .errno(.io)),
            into: device.device
        )
        let comment: Comment = "flags \(vector.flags): \(vector.frm) to \(vector.to), \(failing)"
        #expect(try errno { _ = try device.set(target) } == .io, comment)
        #expect(try device.state() == .known(states[failing]), comment)
        if let stream, start != .resuming {
            let isDead = try errno { _ = try stream.readAll() } == .noDevice
            #expect(isDead == states[...failing].contains { !$0.hasStream }, comment)
        }
        // What failed once succeeds when it is tried again.
        _ = try device.set(target)
        #expect(try device.state() == .known(target), comment)
    }
}
