import Glibc
import MigrationCore
import MigrationPorts
import SystemIO
import Testing

@testable import JobEngine

@Suite("Sidecars go where the content goes")
struct SidecarJobTests {
    private static let bytes: [UInt8] = [1, 2, 3]

    private func session(_ fixture: EngineFixture, _ device: String) throws -> SessionRecord? {
        try fixture.engine.device(try fixture.id(device)).session
    }

    private func put(_ bytes: [UInt8], _ fixture: EngineFixture, _ device: String) throws {
        let session = try #require(try session(fixture, device))
        try fixture.engine.putSidecar(Sidecar(bytes), of: session.id)
    }

    private func sidecar(_ fixture: EngineFixture, _ device: String) throws -> [UInt8]? {
        try session(fixture, device)?.sidecar?.bytes
    }

    private func save(_ fixture: EngineFixture, _ devices: String...) async throws -> ImageID {
        let sources = try devices.map { try fixture.id($0) }
        let view = try await fixture.run(JobSpec(work: .save(sources: sources, after: .run)))
        #expect(view.job.state == .succeeded)
        return try #require(view.job.image)
    }

    @Test("a save takes it into the image, and a restore gives it to its target")
    func image() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        try put(Self.bytes, fixture, "sim-0")
        try put([9], fixture, "sim-1")
        let id = try await save(fixture, "sim-0")
        #expect(try sidecar(fixture, "sim-0") == Self.bytes)
        let recorded = try fixture.engine.image(id).members[0].sidecar
        #expect(recorded?.byteCount == 3)
        let restored = try await fixture.run(try fixture.restore(id))
        #expect(restored.job.state == .succeeded, "\(restored.job.state)")
        #expect(try sidecar(fixture, "sim-1") == Self.bytes)
        // It is in the store, where a later daemon looks.
        let stored = try fixture.store.sessions().last { $0.device.text == "sim-1" }
        #expect(stored?.sidecar?.bytes == Self.bytes)
    }

    @Test("an image without one leaves the target none")
    func imageWithout() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        try put([9], fixture, "sim-1")
        let id = try await save(fixture, "sim-0")
        #expect(try fixture.engine.image(id).members[0].sidecar == nil)
        let restored = try await fixture.run(try fixture.restore(id))
        #expect(restored.job.state == .succeeded)
        #expect(try sidecar(fixture, "sim-1") == nil)
    }

    @Test("a migrate takes it along")
    func migrate() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        try put(Self.bytes, fixture, "sim-0")
        let view = try await fixture.run(try fixture.migration())
        #expect(view.job.state == .succeeded)
        #expect(try sidecar(fixture, "sim-1") == Self.bytes)
        #expect(try session(fixture, "sim-0") == nil)
    }

    @Test("a set's sidecars go each with its own content, once the whole image is verified")
    func set() async throws {
        let fixture = try EngineFixture("mlx5:count=6,state=64KiB")
        for index in 0..<3 { try put([UInt8(index) + 10], fixture, "sim-\(index)") }
        let id = try await save(fixture, "sim-0", "sim-1", "sim-2")
        let members = try [("sim-2", "sim-3"), ("sim-0", "sim-4"), ("sim-1", "sim-5")].map {
            JobSpec.RestoreMember(source: try fixture.id($0), target: try fixture.id($1))
        }
        let spec = JobSpec(
            work: .restore(image: id, members: members, acceptCopy: true, discard: true)
        )
        let restored = try await fixture.run(spec)
        #expect(restored.job.state == .succeeded, "\(restored.job.state)")
        #expect(try sidecar(fixture, "sim-3") == [12])
        #expect(try sidecar(fixture, "sim-4") == [10])
        #expect(try sidecar(fixture, "sim-5") == [11])

        let before = try (3...5).map { try fixture.digest("sim-\($0)") }
        try flip("\(fixture.directory)/images/\(id)/content.2")
        let refused = try await fixture.run(spec)
        #expect(refused.job.state.problem?.code == .imageCorrupt)
        #expect(try (3...5).map { try fixture.digest("sim-\($0)") } == before)
        #expect(try sidecar(fixture, "sim-3") == [12])
    }

    private func flip(_ path: String) throws {
        let file = try FileDescriptor(opening: path, O_RDWR)
        let buffer = IOBuffer(byteCount: 1)
        _ = try unsafe file.read(into: buffer.bytes)
        try #require(lseek(file.raw, 0, SEEK_SET) == 0)
        unsafe buffer.bytes[0] ^= 1
        try unsafe file.writeAll(buffer.prefix(1))
    }

    @Test("whatever write fails, only who has the content has it")
    func everyWrite() async throws {
        var failures = 0
        for write in 1..<40 {
            let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
            try put(Self.bytes, fixture, "sim-0")
            fixture.store.plan(.at(write))
            fixture.tape.start()
            let view: JobView
            do {
                view = try await fixture.run(try fixture.migration())
            } catch {
                failures += 1
                continue
            }
            let isMade = fixture.tape.writeCount < write
            fixture.tape.stop()
            if view.job.state != .succeeded { failures += 1 }
            let target = try session(fixture, "sim-1")
            let source = try session(fixture, "sim-0")
            if target?.content == .loaded {
                #expect(target?.sidecar?.bytes == Self.bytes, "write \(write)")
            } else if view.job.state != .succeeded, target?.content != .live {
                #expect(target?.sidecar == nil, "write \(write): \(view.job.state)")
            }
            if source?.content == .live {
                #expect(source?.sidecar?.bytes == Self.bytes, "write \(write)")
            }
            if isMade { break }
        }
        #expect(failures > 3)
    }
}
