import Dispatch
import MigrationCore
import MigrationPorts
import SimulatedDevices
import Synchronization
import SystemIO
import Testing

@Suite("The backend of simulated devices")
struct BackendTests {
    @Test("devices are numbered over all specifications, and listed sorted by id")
    func names() throws {
        let fixture = try Fixture("mlx5:count=2", "plain", "qat:count=9")
        let devices = fixture.backend.devices()
        #expect(devices.count == 12)
        #expect(devices.map(\.id) == devices.map(\.id).sorted())
        for (number, profile) in [(0, "mlx5"), (1, "mlx5"), (2, "plain"), (3, "qat"), (11, "qat")] {
            let device = fixture.backend.device(try fixture.id(number))
            #expect(device?.simulation?.profile == profile)
        }
        #expect(try fixture.backend.device(fixture.id(12)) == nil)
    }

    @Test("a record tells the driver, the support and the facts of the simulation")
    func record() throws {
        let fixture = try Fixture("hisi_acc:state=4096,dirty=8,seed=5", "plain")
        let record = try #require(fixture.backend.device(try fixture.id(0)))
        #expect(record.backend == .simulated)
        #expect(record.bus == .simulated)
        #expect(record.driver == "hisi_acc_vfio_pci")
        #expect(record.support == .stateStream([.stopCopy, .preCopy]))
        #expect(record.debugState == .known(.running))
        #expect(record.simulation?.seed == 5)
        #expect(record.simulation?.stateByteCount == 4096)
        #expect(record.simulation?.dirtyBytesPerSecond == 8)
        #expect(record.simulation?.contentDigest.utf8.count == 32)
        let plain = try #require(fixture.backend.device(try fixture.id(1)))
        #expect(plain.support == MigrationSupport.none)
        #expect(plain.debugState == nil)
    }

    @Test("every device begins with a session, which is given out once")
    func initialSessions() throws {
        let backend = try SimulatedBackend([.init(.mlx5, count: 3), .init(.plain)])
        let first = backend.initialSessions()
        #expect(first.map(\.device.text) == ["sim-0", "sim-1", "sim-2", "sim-3"])
        #expect(backend.initialSessions().isEmpty)
        for session in first { session.close() }
        #expect(backend.initialSessions().isEmpty)
    }

    @Test("a device that was opened before is not among the first sessions")
    func openedBefore() throws {
        let backend = try SimulatedBackend([.init(.qat, count: 2)])
        let id = try #require(backend.devices().first?.id)
        let session = try backend.open(id, joining: nil)
        #expect(
            backend.initialSessions().map(\.device) == [try #require(backend.devices().last?.id)]
        )
        session.close()
    }

    @Test("a session nobody refers to any more is closed")
    func droppedSession() throws {
        let backend = try SimulatedBackend([.init(.qat)])
        let id = try #require(backend.devices().first?.id)
        #expect(backend.initialSessions().count == 1)
        let digest = backend.device(id)?.simulation?.contentDigest
        let reopened = try backend.open(id, joining: nil)
        #expect(backend.device(id)?.simulation?.contentDigest == digest, "the close kept something")
        reopened.close()
    }

    @Test("descriptors are refused, whatever they are")
    func adopt() throws {
        let fixture = try Fixture("mlx5")
        #expect(try fixture[0].duplicateDescriptors() == nil)
        let descriptors = DeviceDescriptors(
            device: try FileDescriptor(opening: "/dev/null", 0),
            iommufd: try FileDescriptor(opening: "/dev/null", 0),
            pageTableID: nil
        )
        let id = try fixture.id(0)
        do throws(Problem) {
            _ = try fixture.backend.adopt(id, descriptors)
            Issue.record("it was adopted")
        } catch {
            #expect(error.code == .invalidField)
        }
        #expect(try fixture.backend.holders(of: fixture.id(0)).isEmpty)
    }

    @Test("a busy device says so, with the device, the call and its errno")
    func busy() throws {
        let fixture = try Fixture("mlx5")
        let problem = #expect(throws: Problem.self) {
            try fixture.backend.open(fixture.id(0), joining: nil)
        }
        #expect(problem?.code == .deviceBusy)
        #expect(problem?.facts.device == (try fixture.id(0)))
        #expect(problem?.facts.operation == "open")
        #expect(problem?.facts.errno == .busy)
        let probing = #expect(throws: Problem.self) { try fixture.backend.probe(fixture.id(0)) }
        #expect(probing?.code == .deviceBusy)
    }

    @Test("closing a device ends a SET that would take an hour, which says ENODEV")
    func closeEndsArc() throws {
        let fixture = try Fixture("mlx5:arc=3600s")
        let device = try fixture[0]
        let id = try fixture.id(0)
        let result = Mutex<Errno?>(nil)  // Guards the answer of the SET; a leaf.
        let (began, ended) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        DispatchQueue(label: "test.set").async {
            began.signal()
            do throws(Errno) {
                _ = try device.set(.stop)
            } catch {
                result.withLock { $0 = error }
            }
            ended.signal()
        }
        try #require(began.wait(timeout: .now() + 60) == .success)
        // The listing waits for no SET, whether that has begun or not.
        #expect(fixture.backend.device(id)?.debugState == .known(.running))
        device.close()
        try #require(ended.wait(timeout: .now() + 60) == .success)
        #expect(result.withLock { $0 } == .noDevice)
        #expect(fixture.backend.device(id)?.debugState == .known(.running))
        try fixture.backend.open(id, joining: nil).close()
    }

    @Test("each step of a SET takes its time")
    func latency() throws {
        let fixture = try Fixture("mlx5:state=4096,arc=2ms")
        let start = SystemClock.monotonicNanoseconds()
        // RUNNING→RUNNING_P2P→STOP→STOP_COPY.
        _ = try fixture[0].set(.stopCopy)
        #expect(SystemClock.monotonicNanoseconds() - start >= 6_000_000)
    }

    @Test("signals reach the handler of the session that has the device open, and only that")
    func signals() throws {
        let fixture = try Fixture("mlx5:count=2")
        let (sender, heard) = (fixture.backend, DispatchSemaphore(value: 0))
        let signals = Mutex<[DeviceSignal]>([])  // Guards what was heard; a leaf.
        let other = Mutex<[DeviceSignal]>([])  // Guards what the other one heard; a leaf.
        try fixture[0].onSignal { _ in Issue.record("a replaced handler was called") }
        try fixture[0].onSignal { signal in
            signals.withLock { $0.append(signal) }
            heard.signal()
        }
        try fixture[1].onSignal { signal in other.withLock { $0.append(signal) } }
        sender.simulateSignal(.unplugRequested, on: try fixture.id(0))
        sender.simulateSignal(.errorSignalled, on: try fixture.id(0))
        try #require(heard.wait(timeout: .now() + 60) == .success)
        try #require(heard.wait(timeout: .now() + 60) == .success)
        #expect(signals.withLock { $0 } == [.unplugRequested, .errorSignalled])
        #expect(other.withLock { $0 }.isEmpty)
    }

    @Test("a closed session and its streams answer ENODEV even when the device is open again")
    func oldSession() throws {
        let fixture = try Fixture("mlx5:state=4096")
        let old = try fixture[0]
        let stream = try old.stream(.stopCopy)
        old.close()
        let new = try fixture.backend.open(fixture.id(0), joining: nil)
        let live = try new.stream(.stopCopy)
        #expect(try errno { _ = try old.state() } == .noDevice)
        #expect(try errno { _ = try stream.readAll() } == .noDevice)
        old.close()
        #expect(try !live.readAll().isEmpty)
    }

    @Test("a thousand devices of 64 GiB together are made and listed without their bytes")
    func manyLargeDevices() throws {
        let fixture = try Fixture("mlx5:count=1024,state=64MiB")
        let digests = fixture.backend.devices().compactMap(\.simulation?.contentDigest)
        #expect(Set(digests).count == 1024)
    }
}
