import CWorkload
import JobEngine
import MigrationCore
import Testing

@Suite("The workload socket")
struct WorkloadSocketTests {
    private static let adopt = FERRY_WORKLOAD_ADOPT.rawValue
    private static let collect = FERRY_WORKLOAD_COLLECT.rawValue
    private static let confirm = FERRY_WORKLOAD_CONFIRM.rawValue
    private static let ok = FERRY_WORKLOAD_OK.rawValue
    private static let badRequest = FERRY_WORKLOAD_BAD_REQUEST.rawValue
    private static let refused = FERRY_WORKLOAD_REFUSED.rawValue

    /// An engine with its socket, and `sim-0` free to be handed in.
    private final class Bench {
        let fixture: EngineFixture
        let listener: WorkloadListener
        let files: TwoFiles

        init() throws {
            fixture = try EngineFixture("mlx5:count=2,state=64KiB")
            let session = try #require(fixture.engine.device(try fixture.id("sim-0")).session)
            _ = try fixture.engine.closeSession(session.id, discardContent: true)
            files = try TwoFiles(in: fixture.directory)
            listener = try WorkloadListener(
                path: fixture.directory + "/w.sock",
                engine: fixture.engine
            )
        }

        deinit { listener.stop() }

        func client() throws -> WorkloadClient { try WorkloadClient(listener.path) }

        /// Hands `sim-0` in.
        func handIn(_ client: WorkloadClient) async throws -> WorkloadClient.Reply {
            try #require(
                await client.ask(
                    WorkloadSocketTests.adopt,
                    device: "sim-0",
                    pageTableID: 7,
                    descriptors: files.numbers
                )
            )
        }
    }

    @Test("a device is handed in, collected with its very descriptors, and let go at the word")
    func handOver() async throws {
        let bench = try Bench()
        let client = try bench.client()
        let adopted = try await bench.handIn(client)
        #expect(adopted.status == Self.ok, "\(adopted)")
        let id = try #require(SessionID(adopted.session))
        #expect(try bench.fixture.engine.session(id).origin == .adopted)
        #expect(try bench.fixture.content("sim-0") == .live)
        let again = try await bench.handIn(client)
        #expect(again.status == Self.refused)
        #expect(again.inodes == [])
        let collected = try #require(await client.ask(Self.collect, session: adopted.session))
        #expect(collected.status == Self.ok)
        #expect(collected.inodes == bench.files.inodes)
        #expect(collected.pageTableID == 7)
        #expect(try bench.fixture.engine.session(id).status == .open)
        let confirmed = try #require(await client.ask(Self.confirm, session: adopted.session))
        #expect(confirmed.status == Self.ok)
        let ended = try bench.fixture.engine.session(id)
        #expect(ended.status == .collected)
        #expect(ended.content == .live)
        #expect(try #require(bench.fixture.backend.session("sim-0")).isClosed)
        #expect(try bench.fixture.engine.device(ended.device).session == nil)
        let late = try #require(await client.ask(Self.confirm, session: adopted.session))
        #expect(late.status == Self.refused)
        #expect(late.code == "no-session")
    }

    @Test("a collector that dies before its word loses nothing: the next one can collect")
    func dies() async throws {
        let bench = try Bench()
        let client = try bench.client()
        let adopted = try await bench.handIn(client)
        #expect(try #require(await client.ask(Self.collect, session: adopted.session)).status == 0)
        let other = try bench.client()
        let busy = try #require(await other.ask(Self.collect, session: adopted.session))
        #expect(busy.status == Self.refused)
        #expect(busy.code == "device-busy")
        let stolen = try #require(await other.ask(Self.confirm, session: adopted.session))
        #expect(stolen.code == "no-session")
        client.hangUp()
        #expect(try await client.receive() == nil)
        // Hanging up and the next packet come over two sockets, in no order.
        var reply = busy
        for _ in 0..<10_000 where reply.code == "device-busy" {
            reply = try #require(await other.ask(Self.collect, session: adopted.session))
        }
        #expect(reply.status == Self.ok, "\(reply)")
        #expect(reply.inodes == bench.files.inodes)
        #expect(try #require(await other.ask(Self.confirm, session: adopted.session)).status == 0)
    }

    @Test("one collects one device at a time, and none that a job has")
    func onlyOne() async throws {
        let bench = try Bench()
        let client = try bench.client()
        let adopted = try await bench.handIn(client)
        #expect(try #require(await client.ask(Self.collect, session: adopted.session)).status == 0)
        let second = try #require(await client.ask(Self.collect, session: adopted.session))
        #expect(second.code == "session-busy")
        let problem = try bench.fixture.refusal(.reset(devices: [try bench.fixture.id("sim-0")]))
        #expect(problem.code == .deviceBusy)
        #expect(try #require(await client.ask(Self.confirm, session: adopted.session)).status == 0)
    }

    @Test("a simulated device has nothing to collect, and an unknown session is unknown")
    func nothingToCollect() async throws {
        let bench = try Bench()
        let client = try bench.client()
        let session = try #require(
            bench.fixture.engine.device(try bench.fixture.id("sim-1")).session
        )
        let simulated = try #require(await client.ask(Self.collect, session: session.id.text))
        #expect(simulated.code == "incompatible")
        #expect(try bench.fixture.engine.device(session.device).lockedBy == nil)
        let unknown = try #require(await client.ask(Self.collect, session: "ses-none"))
        #expect(unknown.code == "not-found")
        #expect(unknown.status == Self.refused)
    }

    @Test("a program of version 1 hands in and collects by the layout it knows")
    func firstVersion() async throws {
        let bench = try Bench()
        let client = try bench.client()
        let adopted = try #require(
            await client.ask(
                Self.adopt,
                version: 1,
                device: "sim-0",
                pageTableID: 7,
                descriptors: bench.files.numbers
            )
        )
        #expect(adopted.status == Self.ok, "\(adopted)")
        #expect(adopted.version == 1)
        #expect(adopted.byteCount == Int(FERRY_WORKLOAD_REPLY_SIZE_1))
        let collected = try #require(
            await client.ask(Self.collect, version: 1, session: adopted.session)
        )
        #expect(collected.inodes == bench.files.inodes)
        #expect(collected.pageTableID == 7)
        let confirmed = try #require(
            await client.ask(Self.confirm, version: 1, session: adopted.session)
        )
        #expect(confirmed.status == Self.ok)
    }

    @Test("a group and its container go in and out as such, and only by version 2")
    func group() async throws {
        let bench = try Bench()
        let client = try bench.client()
        let adopted = try #require(
            await client.ask(
                Self.adopt,
                device: "sim-0",
                path: FERRY_WORKLOAD_GROUP.rawValue,
                descriptors: bench.files.numbers
            )
        )
        #expect(adopted.status == Self.ok, "\(adopted)")
        let old = try #require(await client.ask(Self.collect, version: 1, session: adopted.session))
        #expect(old.status == Self.refused)
        #expect(old.code == "incompatible")
        #expect(old.inodes == [])
        let collected = try #require(await client.ask(Self.collect, session: adopted.session))
        #expect(collected.status == Self.ok)
        #expect(collected.path == FERRY_WORKLOAD_GROUP.rawValue)
        #expect(collected.pageTableID == FERRY_WORKLOAD_NO_PAGE_TABLE)
        #expect(collected.inodes == bench.files.inodes)
    }

    @Test("a path nobody knows, a group with a page table and a reserved field in use are refused")
    func badPaths() async throws {
        let bench = try Bench()
        let client = try bench.client()
        let unknown = WorkloadClient.request(Self.adopt, device: "sim-0", path: 2)
        let table = WorkloadClient.request(
            Self.adopt,
            device: "sim-0",
            pageTableID: 7,
            path: FERRY_WORKLOAD_GROUP.rawValue
        )
        var reserved = WorkloadClient.request(Self.adopt, device: "sim-0")
        reserved[reserved.count - 1] = 1
        for bytes in [unknown, table, reserved] {
            let reply = try #require(await client.ask(bytes, descriptors: bench.files.numbers))
            #expect(reply.status == Self.badRequest, "\(reply)")
        }
        #expect(try await bench.handIn(client).status == Self.ok)
    }

    @Test("another version is told which one is spoken, however its packet looks")
    func version() async throws {
        let bench = try Bench()
        let client = try bench.client()
        let packet = WorkloadClient.request(Self.adopt, version: 3, device: "sim-0")
        for bytes in [packet, Array(packet[..<8]), packet + packet] {
            let reply = try #require(await client.ask(bytes, descriptors: bench.files.numbers))
            #expect(reply.status == FERRY_WORKLOAD_VERSION_UNKNOWN.rawValue)
            #expect(reply.version == UInt32(FERRY_WORKLOAD_VERSION))
        }
        #expect(try await bench.handIn(client).status == Self.ok)
    }

    @Test(
        "what is no request is said to be none, and the next packet is read as if it had not been"
    )
    func badRequests() async throws {
        let bench = try Bench()
        let client = try bench.client()
        let good = WorkloadClient.request(Self.collect, session: "ses-none")
        let unterminated = String(repeating: "x", count: 128)
        let packets: [[UInt8]] = [
            [0], Array(good[..<7]), Array(good[..<8]), Array(good[..<271]), good + [0],
            Array(repeating: 0xff, count: 4096), Array(repeating: 0, count: 4097),
            Array(repeating: 0, count: 65536),
            WorkloadClient.request(Self.collect, magic: 0, session: "ses-none"),
            WorkloadClient.request(0), WorkloadClient.request(4), WorkloadClient.request(6),
            WorkloadClient.request(.max),
            WorkloadClient.request(Self.collect), WorkloadClient.request(Self.adopt),
            WorkloadClient.request(Self.collect, session: unterminated),
            WorkloadClient.request(Self.adopt, device: unterminated),
            WorkloadClient.request(Self.collect, session: "../../etc"),
            WorkloadClient.request(Self.adopt, device: "sim-0\n"),
        ]
        for (number, packet) in packets.enumerated() {
            let reply = try #require(await client.ask(packet), "packet \(number)")
            #expect(reply.status == Self.badRequest, "packet \(number): \(reply)")
            #expect(!reply.detail.isEmpty)
        }
        #expect(try #require(await client.ask(good)).code == "not-found")
    }

    @Test("a device comes with exactly two descriptors", arguments: [0, 1, 3, 8])
    func descriptorCount(_ count: Int) async throws {
        let bench = try Bench()
        let client = try bench.client()
        let descriptors = Array(repeating: bench.files.numbers[0], count: count)
        let packet = WorkloadClient.request(Self.adopt, device: "sim-0")
        let reply = try #require(await client.ask(packet, descriptors: descriptors))
        #expect(reply.status == Self.refused)
        #expect(reply.code == "bad-request")
        #expect(try bench.fixture.engine.device(try bench.fixture.id("sim-0")).session == nil)
        #expect(try await bench.handIn(client).status == Self.ok)
    }

    @Test("a device in another state than RUNNING is held, and is no source of a job")
    func notRunning() async throws {
        let bench = try Bench()
        bench.fixture.backend.adoptDevices(in: .stop)
        let reply = try await bench.handIn(try bench.client())
        #expect(reply.status == Self.ok, "\(reply)")
        let device = try bench.fixture.id("sim-0")
        let problem = try bench.fixture.refusal(.save(sources: [device], after: .run))
        #expect(problem.code == .incompatible)
        #expect(problem.facts.reasons == ["The device is in STOP."])
    }

    @Test("a job takes what was handed in where it is told to")
    func migrates() async throws {
        let bench = try Bench()
        let reply = try await bench.handIn(try bench.client())
        let before = try bench.fixture.digest("sim-0")
        let view = try await bench.fixture.run(try bench.fixture.migration())
        #expect(view.job.state == .succeeded)
        #expect(try bench.fixture.digest("sim-1") == before)
        let id = try #require(SessionID(reply.session))
        #expect(try bench.fixture.engine.session(id).status == .closed)
    }

    @Test("one connection too many is closed, and another may come when one has gone")
    func connectionLimit() async throws {
        let bench = try Bench()
        let packet = WorkloadClient.request(Self.collect, session: "ses-none")
        var clients: [WorkloadClient] = []
        for _ in 0..<WorkloadListener.connectionLimit {
            let client = try bench.client()
            #expect(try await client.ask(packet)?.code == "not-found")
            clients.append(client)
        }
        #expect(await isRefused(try bench.client(), packet))
        let gone = clients.removeLast()
        gone.hangUp()
        #expect(try await gone.receive() == nil)
        // Its end was seen, so its place is free, or will be at the next try.
        var isTaken = false
        for _ in 0..<10_000 where !isTaken {
            isTaken = !(await isRefused(try bench.client(), packet))
        }
        #expect(isTaken)
    }

    private func isRefused(_ client: WorkloadClient, _ packet: [UInt8]) async -> Bool {
        // The other end hangs up, before or after our packet.
        (try? await client.ask(packet)).flatMap { $0 } == nil
    }

    @Test("a daemon that stops undoes what was not confirmed, and takes its socket away")
    func stops() async throws {
        let bench = try Bench()
        let client = try bench.client()
        let adopted = try await bench.handIn(client)
        #expect(try #require(await client.ask(Self.collect, session: adopted.session)).status == 0)
        bench.listener.stop()
        #expect(try await client.receive() == nil)
        let device = try bench.fixture.id("sim-0")
        let reset = try await bench.fixture.run(JobSpec(work: .reset(devices: [device])))
        #expect(reset.job.state == .succeeded)
        #expect(throws: Errno.self) { _ = try bench.client() }
    }
}
