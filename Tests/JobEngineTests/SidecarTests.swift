import CWorkload
import MigrationCore
import Testing

@testable import JobEngine

@Suite("Sidecars over the workload socket")
struct SidecarTests {
    private static let put = FERRY_WORKLOAD_PUT_SIDECAR.rawValue
    private static let get = FERRY_WORKLOAD_GET_SIDECAR.rawValue
    private static let ok = FERRY_WORKLOAD_OK.rawValue

    /// An engine with its socket and two simulated devices with sessions.
    private final class Bench {
        let fixture: EngineFixture
        let listener: WorkloadListener
        let client: WorkloadClient
        let session: SessionRecord

        init(_ specs: String = "mlx5:count=2,state=64KiB") throws {
            fixture = try EngineFixture(specs)
            listener = try WorkloadListener(
                path: fixture.directory + "/w.sock",
                engine: fixture.engine
            )
            client = try WorkloadClient(listener.path)
            session = try #require(fixture.engine.device(try fixture.id("sim-0")).session)
        }

        deinit { listener.stop() }

        func put(_ bytes: [UInt8], _ session: String? = nil) async throws -> WorkloadClient.Reply {
            let session = session ?? self.session.id.text
            let request = WorkloadClient.request(SidecarTests.put, session: session)
            return try #require(await client.ask(request + bytes))
        }

        func get(_ session: String? = nil) async throws -> WorkloadClient.Reply {
            let session = session ?? self.session.id.text
            return try #require(await client.ask(SidecarTests.get, session: session))
        }

        var stored: [UInt8]? {
            get throws {
                try fixture.store.sessions().first { $0.id == session.id }?.sidecar?.bytes
            }
        }
    }

    @Test("the limit a program reads in the header is the one that is kept")
    func limit() {
        #expect(Int(FERRY_WORKLOAD_SIDECAR_LIMIT) == Sidecar.byteCountLimit)
    }

    @Test("what was put is got, and is in the store", arguments: [1, 4096, 65_535, 65_536])
    func roundTrip(count: Int) async throws {
        let bench = try Bench()
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let put = try await bench.put(bytes)
        #expect(put.status == Self.ok, "\(put.detail)")
        #expect(put.session == bench.session.id.text)
        #expect(put.sidecar == [])
        let got = try await bench.get()
        #expect(got.status == Self.ok)
        #expect(got.sidecar == bytes)
        #expect(try bench.stored == bytes)
        let other = try #require(bench.fixture.engine.device(bench.fixture.id("sim-1")).session)
        #expect(try await bench.get(other.id.text).sidecar == [])
    }

    @Test("the next one takes the place of the one before, and no bytes leave none")
    func replaced() async throws {
        let bench = try Bench()
        for bytes: [UInt8] in [[], [1, 2, 3], [4], []] {
            #expect(try await bench.put(bytes).status == Self.ok)
            #expect(try await bench.get().sidecar == bytes)
            #expect(try bench.stored == (bytes.isEmpty ? nil : bytes))
        }
    }

    @Test("one byte too many is refused, and the sidecar before stays")
    func tooLong() async throws {
        let bench = try Bench()
        #expect(try await bench.put([9]).status == Self.ok)
        for count in [65_537, 100_000] {
            let reply = try await bench.put([UInt8](repeating: 1, count: count))
            #expect(reply.status == FERRY_WORKLOAD_BAD_REQUEST.rawValue)
        }
        #expect(try await bench.get().sidecar == [9])
    }

    @Test("no other call takes bytes behind its struct")
    func bytesBehind() async throws {
        let bench = try Bench()
        let session = bench.session.id.text
        for call in [
            Self.get, FERRY_WORKLOAD_ADOPT.rawValue, FERRY_WORKLOAD_COLLECT.rawValue,
            FERRY_WORKLOAD_CONFIRM.rawValue, 6,
        ] {
            let request = WorkloadClient.request(call, device: "sim-0", session: session)
            let reply = try #require(await bench.client.ask(request + [0]))
            #expect(reply.status == FERRY_WORKLOAD_BAD_REQUEST.rawValue, "call \(call)")
        }
    }

    @Test("a session that is not open has none", arguments: ["ses-none", nil])
    func noSession(id: String?) async throws {
        let bench = try Bench()
        if id == nil {
            #expect(try await bench.put([1]).status == Self.ok)
            _ = try bench.fixture.engine.closeSession(bench.session.id, discardContent: true)
            #expect(try bench.fixture.engine.session(bench.session.id).sidecar == nil)
            #expect(try bench.stored == nil)
        }
        #expect(try await bench.put([1], id).code == "not-found")
        #expect(try await bench.get(id).code == "not-found")
    }

    @Test("who collects a device gets what was left beside it, until it confirms")
    func collected() async throws {
        let bench = try Bench()
        let (fixture, client) = (bench.fixture, bench.client)
        _ = try fixture.engine.closeSession(bench.session.id, discardContent: true)
        let files = try TwoFiles(in: fixture.directory)
        let adopted = try #require(
            await client.ask(
                FERRY_WORKLOAD_ADOPT.rawValue,
                device: "sim-0",
                descriptors: files.numbers
            )
        )
        #expect(try await bench.put([1, 2, 3], adopted.session).status == Self.ok)
        let collect = FERRY_WORKLOAD_COLLECT.rawValue
        let collected = try #require(await client.ask(collect, session: adopted.session))
        #expect(collected.status == Self.ok)
        #expect(collected.sidecar == [])
        #expect(try await bench.get(adopted.session).sidecar == [1, 2, 3])
        #expect(try await bench.put([4], adopted.session).code == "device-busy")
        let confirm = FERRY_WORKLOAD_CONFIRM.rawValue
        #expect(try #require(await client.ask(confirm, session: adopted.session)).status == 0)
        #expect(try await bench.get(adopted.session).code == "not-found")
        let id = try #require(SessionID(adopted.session))
        #expect(try fixture.engine.session(id).sidecar == nil)
    }

    @Test("a job keeps it from being changed or read, and a rollback leaves it")
    func duringJob() async throws {
        let bench = try Bench()
        let fixture = bench.fixture
        #expect(try await bench.put([5, 6]).status == Self.ok)
        let job = try fixture.engine.submit(try fixture.migration(.manual), requestedBy: "test").job
        _ = try await fixture.view(of: job.id) { $0.job.phase == .awaitingSwitchover }
        #expect(try await bench.put([7]).code == "device-busy")
        #expect(try await bench.get().code == "device-busy")
        _ = try fixture.engine.cancel(job.id)
        _ = try await fixture.end(of: job.id)
        #expect(try await bench.get().sidecar == [5, 6])
    }

    @Test("a reset takes it along with the content")
    func reset() async throws {
        let bench = try Bench()
        #expect(try await bench.put([5, 6]).status == Self.ok)
        let device = bench.session.device
        let job = try await bench.fixture.run(JobSpec(work: .reset(devices: [device])))
        #expect(job.job.state == .succeeded)
        #expect(try await bench.get().sidecar == [])
        #expect(try bench.stored == nil)
    }

    @Test("a store that does not take it leaves the one before")
    func storeFails() async throws {
        let bench = try Bench()
        #expect(try await bench.put([1]).status == Self.ok)
        bench.fixture.store.plan(.at(1))
        bench.fixture.tape.start()
        #expect(try await bench.put([2]).code == "store-failed")
        bench.fixture.tape.stop()
        #expect(try await bench.get().sidecar == [1])
        #expect(try bench.fixture.engine.device(bench.session.device).lockedBy == nil)
        #expect(try await bench.put([3]).status == Self.ok)
    }

    @Test("a daemon's death ends the session and its sidecar with it")
    func death() async throws {
        let bench = try Bench()
        #expect(try await bench.put([1]).status == Self.ok)
        #expect(try bench.stored == [1])
        try bench.fixture.restart("mlx5:count=2,state=64KiB")
        let lost = try bench.fixture.engine.session(bench.session.id)
        #expect(lost.status == .lost)
        #expect(lost.sidecar == nil)
        #expect(try bench.stored == nil)
    }

    @Test("an image says whose state it is, by whom it was saved and when")
    func imageFacts() async throws {
        let fixture = try EngineFixture(["mlx5:count=1,state=64KiB"]) { $0.version = "1.2.3" }
        let source = try fixture.id("sim-0")
        let view = try await fixture.run(JobSpec(work: .save(sources: [source], after: .run)))
        let image = try fixture.engine.image(try #require(view.job.image))
        let device = try fixture.engine.device(source).record
        #expect(image.machine == fixture.engine.host().machine)
        #expect(image.kernelRelease == fixture.engine.host().kernelRelease)
        #expect(image.ferryVersion == "1.2.3")
        let save = try #require(image.save)
        #expect(save.createdAt == view.job.createdAt)
        #expect(save.startedAt == view.job.startedAt)
        #expect(try save.finishedAt <= #require(view.job.finishedAt))
        let member = image.members[0]
        #expect(member.bus == .simulated)
        #expect(member.address == device.address)
        #expect(member.driver == device.driver)
        #expect(member.vendorID == device.vendorID && member.deviceID == device.deviceID)
        #expect(member.sidecar == nil)
    }
}
