import Glibc
import MigrationCore
import MigrationPorts
import SimulatedDevices
import Synchronization
import SystemIO
import Testing

@Suite("The log of ferry-simd")
struct EvidenceTests {
    @Test("a migration leaves who acted, what stopped, what was loaded and what was lost")
    func migration() throws {
        let fixture = try HostFixture("mlx5:count=2,state=64KiB,dirty=64KiB,seed=4")
        let client = try fixture.client()
        let source = try #require(client.initialSessions().first)
        // Opened afresh, the target is empty.
        let target = try reopened("sim-1", client)
        fixture.clock.advance(by: .seconds(1))
        let out = try source.stream(.stopCopy)
        try target.load(try out.readAll())
        _ = try target.set(.running)
        try source.reset()
        source.close()
        target.close()
        // What is asked of the host comes after it noticed the closes.
        _ = client.devices()

        #expect(
            try fixture.events(of: "sim-0") == [
                "opened", "acts",
                "arc_begun", "arc_done", "arc_begun", "arc_done", "stops", "arc_begun", "arc_done",
                "lost", "reset", "acts", "stops", "closed",
            ]
        )
        let lines = try fixture.lines()
        let stopped = try #require(
            lines.first { $0.isEvent("stops", of: "sim-0") }?.field("digest")
        )
        let loaded = try #require(
            lines.first { $0.isEvent("loaded", of: "sim-1") }?.field("digest")
        )
        #expect(stopped == loaded)
        let seeded = try #require(
            lines.first { $0.isEvent("opened", of: "sim-0") }?.field("digest")
        )
        #expect(seeded != stopped, "a dirty rate changes what a device holds")
        #expect(
            try fixture.events(of: "sim-1") == [
                "opened", "acts", "stops", "lost", "closed",
                "opened", "acts",
                "arc_begun", "arc_done", "arc_begun", "arc_done", "stops", "arc_begun", "arc_done",
                "arc_begun", "arc_done", "loaded",
                "arc_begun", "acts", "arc_done", "arc_begun", "arc_done",
                "stops", "lost", "closed",
            ]
        )
    }

    @Test("a device counts as acting from the beginning of the step, and a failed step ends that")
    func conservative() throws {
        let fixture = try HostFixture(
            "qat:state=4096,fault=arc:STOP-RUNNING_P2P:EIO:1,fault=arc:RUNNING_P2P-STOP:ERROR:2"
        )
        let device = try #require(try fixture.sessions().first)
        _ = try device.set(.stop)
        #expect(try errno { _ = try device.set(.running) } == .io)
        _ = try device.set(.running)
        #expect(try errno { _ = try device.set(.stop) } == .io)
        try device.expect(.error)
        let events = try fixture.events(of: "sim-0").dropFirst(2)
        #expect(
            events == [
                "arc_begun", "arc_done", "arc_begun", "arc_done", "stops",
                "arc_begun", "acts", "arc_failed", "stops",
                "arc_begun", "acts", "arc_done", "arc_begun", "arc_done",
                "arc_begun", "arc_done", "arc_begun", "arc_failed", "stops",
            ]
        )
    }

    @Test("content that is lost is told with why, and what is empty is not told")
    func losses() throws {
        let fixture = try HostFixture("qat:count=3,state=4096")
        let client = try fixture.client()
        // Never open before: what its seed made goes with the first open.
        try client.open(id("sim-2"), joining: nil).close()
        let sessions = client.initialSessions()
        try sessions[0].reset()
        try sessions[0].reset()
        sessions[1].close()
        _ = client.devices()
        let lost = try fixture.lines().filter { $0.contains("\"event\":\"lost\"") }
        #expect(lost.map { $0.field("device") } == ["sim-2", "sim-0", "sim-1"])
        #expect(lost.map { $0.field("why") } == ["opened", "reset", "closed"])
    }

    @Test("the death of a daemon is told as the close it is, with what was lost")
    func deadDaemon() throws {
        let fixture = try HostFixture("qat:state=4096")
        let sessions = try fixture.sessions()
        let file = try #require(try sessions.first?.keptFiles().first?.file)
        // As the kernel closes the files of a process that is killed.
        file.descriptor.shutDown()
        _ = try fixture.client().devices()
        #expect(try fixture.events(of: "sim-0").suffix(3) == ["stops", "lost", "closed"])
    }

    @Test("lines are whole, in the order of time for each device, and start with the host")
    func form() throws {
        let fixture = try HostFixture("mlx5:count=4,state=64KiB")
        let sessions = try fixture.sessions()
        for session in sessions { _ = try session.set(.stop) }
        let lines = try withExtendedLifetime(sessions) { try fixture.lines() }
        #expect(lines.first?.contains("\"event\":\"host_started\"") == true)
        #expect(lines.allSatisfy { $0.hasPrefix("{\"at\":") && $0.hasSuffix("}") })
        #expect(lines.count == 1 + 4 * 7)
    }

    @Test("a log that takes no more ends the evidence once, and says so")
    func fullDisk() throws {
        let failures = FailureCount()
        let log = try EvidenceLog(path: "/dev/full") { errno in failures.add(errno) }
        let backend = try SimulatedBackend([try SimulationSpec.parse("qat")], evidence: log)
        for session in backend.initialSessions() { _ = try session.set(.stop) }
        #expect(failures.all == [.noSpace])
    }

    private func reopened(_ name: String, _ client: HostedBackend) throws -> any DeviceSession {
        try client.open(id(name), joining: nil)
    }
}

extension String {
    fileprivate func isEvent(_ event: String, of device: String) -> Bool {
        field("event").map { $0 == event } == true && field("device").map { $0 == device } == true
    }
}

/// What a log said it could not write.
private final class FailureCount: Sendable {
    // Guards the failures; a leaf.
    private let failures = Mutex<[Errno]>([])

    func add(_ errno: Errno) { failures.withLock { $0.append(errno) } }
    var all: [Errno] { failures.withLock { $0 } }
}
