import Dispatch
import MigrationCore
import MigrationPorts
import SimulatedDevices
import Synchronization
import SystemIO
import Testing

@Suite("Faults of simulated devices")
struct FaultTests {
    @Test("the EIO of the demo: a failed PRE_COPY_P2P→STOP_COPY can be rolled back and tried again")
    func failedArc() throws {
        let fixture = try Fixture("mlx5:state=64KiB,fault=arc:PRE_COPY_P2P-STOP_COPY:EIO:1")
        let device = try fixture[0]
        let before = try fixture.digest(0)
        _ = try device.set(.preCopy)
        #expect(try errno { _ = try device.set(.stopCopy) } == .io)
        // PRE_COPY→PRE_COPY_P2P was completed.
        try device.expect(.preCopyP2P)
        _ = try device.set(.running)
        #expect(try fixture.digest(0) == before)
        _ = try device.set(.preCopy)
        _ = try device.set(.stopCopy)
        try device.expect(.stopCopy)
    }

    @Test("a fault comes at the time it names, once, or with + from then on")
    func occurrences() throws {
        let once = try Fixture("mlx5:state=4096,fault=read:ETIMEDOUT:2")
        let stream = try once[0].stream(.stopCopy)
        let results = try (0..<4).map { _ in try errno { _ = try read(stream) } }
        #expect(results == [nil, .timedOut, nil, nil])

        let often = try Fixture("mlx5:state=4096,fault=read:EIO:2+")
        let other = try often[0].stream(.stopCopy)
        let more = try (0..<4).map { _ in try errno { _ = try read(other) } }
        #expect(more == [nil, .io, .io, .io])
    }

    @Test("a fault hits the device it names and no other")
    func namedDevice() throws {
        let fixture = try Fixture("xe:count=2,state=4096,fault=arc:*-STOP:EBUSY:1@sim-1")
        #expect(try errno { _ = try fixture[0].set(.stop) } == nil)
        #expect(try errno { _ = try fixture[1].set(.stop) } == .busy)
        try fixture[1].expect(.runningP2P)
    }

    @Test("a fault that names a device outside its specification is refused")
    func strangeDevice() throws {
        #expect(throws: Problem.self) { try Fixture("xe:fault=read:EIO:1@sim-1", "xe") }
        #expect(throws: Problem.self) { try Fixture("xe:fault=read:EIO:1@pci-0") }
    }

    @Test("writes, PRECOPY_INFO, RESET and open fail as they are told")
    func otherOperations() throws {
        let fixture = try Fixture(
            "mlx5:state=4096,fault=write:ENOSPC:1,fault=precopy_info:ENOTCONN:1"
                + ",fault=reset:EAGAIN:1,fault=open:EPERM:1"
        )
        let device = try fixture[0]
        let stream = try device.stream(.preCopy)
        #expect(try errno { _ = try stream.preCopyInfo() } == .notConnected)
        #expect(try errno { _ = try stream.preCopyInfo() } == nil)
        let sink = try device.stream(.resuming)
        #expect(try errno { try sink.writeAll([0]) } == .noSpace)
        #expect(try errno { try device.reset() } == .again)
        try device.expect(.resuming)
        try device.reset()
        device.close()
        let problem = #expect(throws: Problem.self) {
            try fixture.backend.open(fixture.id(0), joining: nil)
        }
        #expect(problem?.code == .deviceFailed)
        #expect(problem?.facts.errno == .perm)
        #expect(problem?.facts.operation == "open")
        _ = try fixture.backend.open(fixture.id(0), joining: nil)
    }

    @Test("a device in ERROR takes no SET, its streams are dead, and only RESET leads out")
    func errorState() throws {
        for (name, refusal) in [("xe", Errno.invalid), ("pds", .io)] {
            let fixture = try Fixture("\(name):state=4096,fault=arc:STOP-STOP_COPY:ERROR:1")
            let device = try fixture[0]
            #expect(try errno { _ = try device.set(.stopCopy) } == .io)
            try device.expect(.error)
            for target in DeviceState.allCases {
                #expect(try errno { _ = try device.set(target) } == refusal)
            }
            try device.expect(.error)
            try device.reset()
            try device.expect(.running)
        }
    }

    @Test("pds can fall into ERROR by itself, while its stream is read")
    func asynchronousError() throws {
        let fixture = try Fixture("pds:fault=read:ERROR:3")
        let device = try fixture[0]
        let stream = try device.stream(.stopCopy)
        _ = try read(stream)
        _ = try read(stream)
        #expect(try errno { _ = try read(stream) } == .noDevice)
        try device.expect(.error)
        #expect(try errno { _ = try read(stream) } == .noDevice)
    }

    @Test("a failed read or write takes and gives no bytes")
    func nothingLost() throws {
        let fixture = try Fixture("qat:count=2,state=4096,fault=read:EINTR:2,fault=write:EINTR:2")
        let stream = try fixture[0].stream(.stopCopy)
        var image = try read(stream, 100)
        #expect(try errno { _ = try read(stream, 100) } == .interrupted)
        image += try stream.readAll()
        let sink = try fixture[1].stream(.resuming)
        try sink.writeAll(Array(image[..<100]))
        #expect(try errno { try sink.writeAll(Array(image[100...])) } == .interrupted)
        try sink.writeAll(Array(image[100...]))
        _ = try fixture[1].set(.stop)
        #expect(try fixture.digest(1) == fixture.digest(0))
    }

    @Test("GET, MIG_DATA_SIZE, detach and RESET fail as they are told, each at its own time")
    func deviceCalls() throws {
        let fixture = try Fixture(
            "qat:state=4096,fault=get:EIO:2,fault=data_size:EAGAIN:1,fault=detach:EBUSY:1"
                + ",fault=reset:ERROR:1"
        )
        let device = try fixture[0]
        #expect(try errno { try device.detach() } == .busy)
        #expect(try errno { try device.detach() } == nil)
        #expect(try errno { _ = try device.stopCopyByteCount() } == .again)
        #expect(try errno { _ = try device.stopCopyByteCount() } == nil)
        #expect(try errno { _ = try device.state() } == nil)
        #expect(try errno { _ = try device.state() } == .io)
        #expect(try errno { try device.reset() } == .io)
        try device.expect(.error)
        try device.reset()
        try device.expect(.running)
    }

    @Test("a short read or write moves no more than it is told, and nothing is lost")
    func shortTransfers() throws {
        let fixture = try Fixture(
            "qat:count=2,state=4096,fault=read:SHORT=100:1+,fault=write:SHORT=7:2,fault=write:SHORT=1:3"
        )
        let stream = try fixture[0].stream(.stopCopy)
        #expect(try read(stream, 1000).count == 100)
        _ = try fixture[0].set(.stop)
        let image = try fixture[0].save()
        let sink = try fixture[1].stream(.resuming)
        let counts = try (0..<3).map { _ in try write(sink, Array(image[..<64])) }
        #expect(counts == [64, 7, 1])
        try fixture[1].reset()
        try fixture[1].load(image)
        #expect(try fixture.digest(1) == fixture.digest(0))
    }

    @Test("a read can end before its time, and a target that looks refuses what it got")
    func earlyEnd() throws {
        let fixture = try Fixture("qat:count=2,state=65536,fault=read:EOF:2@sim-0")
        let stream = try fixture[0].stream(.stopCopy)
        var image = try read(stream, 4096)
        #expect(try read(stream, 4096).isEmpty)
        let sink = try fixture[1].stream(.resuming)
        try sink.writeAll(image)
        #expect(try errno { _ = try fixture[1].set(.stop) } == .invalid)
        image += try stream.readAll()
        try sink.writeAll(Array(image[4096...]))
        _ = try fixture[1].set(.stop)
        #expect(try fixture.digest(1) == fixture.digest(0))
    }

    @Test("a call is delayed by as long as it is told, and then goes on")
    func delay() throws {
        let fixture = try Fixture(
            "qat:state=4096,fault=arc:*-STOP:DELAY=3ms:1,fault=read:DELAY=2ms:1"
        )
        var start = SystemClock.monotonicNanoseconds()
        let stream = try fixture[0].stream(.stopCopy)
        #expect(SystemClock.monotonicNanoseconds() - start >= 3_000_000)
        start = SystemClock.monotonicNanoseconds()
        #expect(try read(stream, 64).count == 64)
        #expect(SystemClock.monotonicNanoseconds() - start >= 2_000_000)
    }

    @Test("a delay and a failure of the same call come one after the other")
    func combined() throws {
        let fixture = try Fixture("qat:state=4096,fault=get:EIO:1,fault=get:DELAY=2ms:1")
        let device = try fixture[0]
        let start = SystemClock.monotonicNanoseconds()
        #expect(try errno { _ = try device.state() } == .io)
        #expect(SystemClock.monotonicNanoseconds() - start >= 2_000_000)
    }

    @Test("an asynchronous error lets the call succeed, then the device is in ERROR and says so")
    func errorBehindTheCall() throws {
        let fixture = try Fixture("mlx5:state=64KiB,fault=arc:STOP-STOP_COPY:ASYNC_ERROR:1")
        let device = try fixture[0]
        let signals = Mutex<[DeviceSignal]>([])  // Guards what was heard; a leaf.
        let heard = DispatchSemaphore(value: 0)
        device.onSignal { signal in
            signals.withLock { $0.append(signal) }
            heard.signal()
        }
        let stream = try device.stream(.stopCopy)
        try #require(heard.wait(timeout: .now() + 60) == .success)
        #expect(signals.withLock { $0 } == [.errorSignalled])
        try device.expect(.error)
        #expect(try errno { _ = try read(stream) } == .noDevice)
        try device.reset()
        try device.expect(.running)
    }

    @Test(
        "a call that hangs holds up no other device, and returns ENODEV when its own is closed",
        arguments: ["arc:*-STOP", "get", "reset", "read", "precopy_info", "data_size", "detach"]
    )
    func hang(operation: String) throws {
        let fixture = try Fixture("mlx5:state=64KiB", "qat")
        let (device, other) = (try fixture[0], try fixture[1])
        let stream = try device.stream(.preCopy)
        let (began, ended) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let fault = try Fault.parse("\(operation):HANG:1")
        #expect(fixture.backend.inject(fault, into: device.device) { began.signal() })
        let result = Mutex<Errno?>(nil)  // Guards the errno; a leaf.
        DispatchQueue(label: "test").async {
            let errno = try? errno { try Self.make(operation, device, stream) }
            result.withLock { $0 = errno }
            ended.signal()
        }
        try #require(began.wait(timeout: .now() + 60) == .success)
        _ = try other.set(.stop)
        #expect(fixture.backend.devices().count == 2)
        device.close()
        try #require(ended.wait(timeout: .now() + 60) == .success)
        #expect(result.withLock { $0 } == .noDevice)
    }

    private static func make(
        _ operation: String,
        _ device: any DeviceSession,
        _ stream: any MigrationStream
    ) throws {
        let buffer = IOBuffer(byteCount: 64)
        switch operation {
        case "get": _ = try device.state()
        case "reset": try device.reset()
        case "detach": try device.detach()
        case "data_size": _ = try device.stopCopyByteCount()
        case "read": _ = try unsafe stream.read(into: buffer.bytes)
        case "precopy_info": _ = try stream.preCopyInfo()
        default: _ = try device.set(.stop)
        }
    }

    @Test("a read that hangs returns when its stream is closed, and the device goes on")
    func hangingStream() throws {
        let fixture = try Fixture("mlx5:state=64KiB")
        let device = try fixture[0]
        let stream = try device.stream(.stopCopy)
        let (began, ended) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        // A read that came only after the close would leave the fault to the reads of the save.
        let fault = try Fault.parse("read:HANG:1")
        #expect(fixture.backend.inject(fault, into: device.device) { began.signal() })
        let result = Mutex<Errno?>(nil)  // Guards the errno; a leaf.
        DispatchQueue(label: "test").async {
            let errno = try? errno { try Self.make("read", device, stream) }
            result.withLock { $0 = errno }
            ended.signal()
        }
        try #require(began.wait(timeout: .now() + 60) == .success)
        _ = try device.set(.stop)
        stream.close()
        try #require(ended.wait(timeout: .now() + 60) == .success)
        #expect(result.withLock { $0 } == .noDevice)
        #expect(try !device.save().isEmpty)
    }

    @Test("an open that hangs returns when the backend ends its waits")
    func hangingOpen() throws {
        let fixture = try Fixture("qat:fault=open:HANG:1")
        try fixture[0].close()
        let (backend, ended) = (fixture.backend, DispatchSemaphore(value: 0))
        let device = try fixture.id(0)
        DispatchQueue(label: "test").async {
            #expect(throws: Problem.self) { try backend.open(device, joining: nil) }
            ended.signal()
        }
        backend.endWaits()
        try #require(ended.wait(timeout: .now() + 60) == .success)
        try backend.open(device, joining: nil).close()
    }

    @Test("faults added later count from then, and a device takes a bounded number of them")
    func injected() throws {
        let fixture = try Fixture("qat:state=4096")
        let device = try fixture[0]
        _ = try device.state()
        let fault = try Fault.parse("get:EIO:2")
        #expect(fixture.backend.inject(fault, into: device.device))
        #expect(try (0..<3).map { _ in try errno { _ = try device.state() } } == [nil, .io, nil])
        let many = (0..<300).map { _ in
            fixture.backend.inject(
                Fault(.reset, .errno(.io), isRepeated: true),
                into: device.device
            )
        }
        #expect(many.count { $0 } == 256)
        let strange = try #require(DeviceID("sim-7"))
        #expect(!fixture.backend.inject(fault, into: strange))
    }

    private func write(_ stream: any MigrationStream, _ bytes: [UInt8]) throws -> Int {
        try unsafe bytes.withUnsafeBytes { try unsafe stream.write($0) }
    }

    /// One read.
    private func read(_ stream: any MigrationStream, _ byteCount: Int = 64) throws -> [UInt8] {
        let buffer = IOBuffer(byteCount: byteCount)
        let count = try unsafe stream.read(into: buffer.bytes)
        return unsafe Array(buffer.prefix(count))
    }
}
