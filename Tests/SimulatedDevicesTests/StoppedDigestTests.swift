import MigrationCore
import MigrationPorts
import SimulatedDevices
import Testing

@Suite("A simulated device remembers what it held when it stopped")
struct StoppedDigestTests {
    private func facts(_ backend: SimulatedBackend, _ name: String) throws -> SimulationFacts {
        let record = backend.device(try #require(DeviceID(name)))
        return try #require(record?.simulation)
    }

    @Test("the digest of the last stop outlives the content, and a target that loads it agrees")
    func sourceAndTarget() throws {
        let spec = try SimulationSpec.parse("mtty:count=2,state=64KiB,dirty=1MiB,seed=5")
        let backend = try SimulatedBackend([spec])
        let sessions = backend.initialSessions()
        let (source, target) = (sessions[0], sessions[1])
        #expect(try facts(backend, "sim-0").stoppedContentDigest == nil)

        let out = try #require(try source.set(.stopCopy))
        let sent = try facts(backend, "sim-0")
        #expect(sent.stoppedContentDigest == sent.contentDigest)

        let into = try #require(try target.set(.resuming))
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
        defer { unsafe bytes.deallocate() }
        while case let count = try unsafe out.read(into: bytes), count > 0 {
            var rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[..<count])
            while unsafe !rest.isEmpty {
                let written = try unsafe into.write(rest)
                unsafe rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            }
        }
        _ = try target.set(.running)
        try source.reset()
        source.close()

        let left = try facts(backend, "sim-0")
        #expect(left.stoppedContentDigest == sent.contentDigest)
        #expect(left.contentDigest != sent.contentDigest)
        #expect(try facts(backend, "sim-1").stoppedContentDigest == sent.contentDigest)
    }
}
