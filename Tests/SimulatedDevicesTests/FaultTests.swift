import MigrationCore
import MigrationPorts
import SimulatedDevices
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

    /// One read.
    private func read(_ stream: any MigrationStream, _ byteCount: Int = 64) throws -> [UInt8] {
        let buffer = IOBuffer(byteCount: byteCount)
        let count = try unsafe stream.read(into: buffer.bytes)
        return unsafe Array(buffer.prefix(count))
    }
}
