import Glibc
import MigrationCore
import MigrationPorts
import SimulatedDevices
import SystemIO
import Testing

@Suite("What clients of ferry-simd send that is not right")
struct HostileClientTests {
    private static func call(_ number: UInt32, _ argument: UInt64 = 0, _ rest: [UInt8] = [])
        -> [UInt8]
    {
        let head = [UInt8](bytes(0x3151_5346 as UInt32)) + bytes(number) + bytes(argument)
        return head + rest
    }

    private static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> Number($0 * 8)) }
    }

    /// The errno of the answer that comes on a socket; nil when the other end is closed.
    private func answer(on file: SharedDescriptor) throws -> Int32? {
        let buffer = IOBuffer(byteCount: 64 << 10)
        do throws(Errno) {
            let packet = try unsafe file.descriptor.receivePacket(into: buffer.bytes)
            guard packet.byteCount >= 24 else { return nil }
            return unsafe buffer.prefix(8).loadUnaligned(fromByteOffset: 4, as: Int32.self)
        } catch {
            guard error == .connectionReset || error == .brokenPipe else { throw error }
            return nil
        }
    }

    private func connect(_ fixture: HostFixture) throws -> SharedDescriptor {
        SharedDescriptor(try PacketSocket.connect(to: fixture.path, timeoutMilliseconds: 0))
    }

    @Test("on a control connection it is refused, the connection ends, and the host lives on")
    func control() throws {
        let fixture = try HostFixture("qat:count=2,state=4096")
        let session = try #require(try fixture.sessions().first)
        let null = try FileDescriptor(opening: "/dev/null", O_RDWR)
        let packets: [([UInt8], Int)] = [
            ([0], 0), (Array(repeating: 0xff, count: 16), 0), (Self.call(0), 0),
            (Self.call(99), 0), (Array(Self.call(32).dropLast()), 0), (Self.call(32), 2),
            (Self.call(34, 0, [0xff, 0xfe]), 0),
            (Self.call(38, 0, Array(repeating: 65, count: 60_000)), 0),
            (Self.call(33), 8),
        ]
        for (bytes, descriptorCount) in packets {
            let connection = try connect(fixture)
            try connection.descriptor.sendPacket(
                bytes,
                descriptors: Array(repeating: null.raw, count: descriptorCount)
            )
            let first = try answer(on: connection)
            #expect(first == nil || first.map { $0 > 0 } == true)
            #expect(try answer(on: connection) == nil)
        }
        #expect(try fixture.client().devices().count == 2)
        try session.expect(.running)
    }

    @Test("a call on a control connection that is none there, or names nothing, is only answered")
    func controlCalls() throws {
        let fixture = try HostFixture("qat:count=2,state=4096")
        let connection = try connect(fixture)
        for (bytes, expected) in [
            (Self.call(1), Errno.notTypewriter), (Self.call(34, 0, []), .invalid),
            (Self.call(34, 0, Array("a/b".utf8)), .invalid),
            (Self.call(34, 0, Array("sim-9".utf8)), .noDevice),
            (Self.call(36, 0, Array("sim-9".utf8)), .noDevice),
            (Self.call(37, 0, Array("sim-0".utf8)), .badDescriptor),
            (Self.call(38, 0, Array("open:HUH:1".utf8)), .invalid),
            (Self.call(38, 0, Array("open:EIO:1@sim-9".utf8)), .noEntry),
        ] {
            try connection.descriptor.sendPacket(bytes)
            #expect(try answer(on: connection) == expected.number)
        }
        try connection.descriptor.sendPacket(Self.call(32, .max))
        #expect(try answer(on: connection) == 0)
    }

    @Test(
        "on a device file it is refused as an unknown ioctl would be, and the device is as it was"
    )
    func deviceFile() throws {
        let fixture = try HostFixture("qat:state=4096")
        let session = try #require(try fixture.sessions().first)
        _ = try session.set(.stop)
        let digest = try fixture.digest("sim-0")
        let file = try session.keptFiles()[0].file
        let null = try FileDescriptor(opening: "/dev/null", O_RDWR)
        for (bytes, expected) in [
            (Self.call(16), Errno.notTypewriter), (Self.call(34), .notTypewriter),
            (Self.call(99), .invalid), ([1, 2, 3], .invalid),
            (Self.call(2, 8), .invalid), (Self.call(2, .max), .invalid),
            (Self.call(2, 0), .invalid),
            (Self.call(6), .invalid),
        ] {
            let pair = try PacketSocket.pair()
            try file.descriptor.sendPacket(bytes, descriptors: [pair.far.descriptor.raw])
            #expect(try answer(on: pair.near) == expected.number)
        }
        // No socket for the answer, a file that is none, too much of everything.
        try file.descriptor.sendPacket(Self.call(5))
        try file.descriptor.sendPacket(Self.call(1), descriptors: [null.raw])
        try file.descriptor.sendPacket(Self.call(1, 0, Array(repeating: 0, count: 4000)))
        try file.descriptor.sendPacket(
            Self.call(6),
            descriptors: Array(repeating: null.raw, count: 8)
        )
        // A RESET without a socket for its answer is no call.
        try session.expect(.stop)
        #expect(try fixture.digest("sim-0") == digest)
    }

    @Test("calls beyond the limit of a device file are refused while one is stuck")
    func manyCalls() throws {
        let fixture = try HostFixture("qat:state=4096,fault=get:HANG:1")
        let session = try #require(try fixture.sessions().first)
        let file = try session.keptFiles()[0].file
        var answers: [SharedDescriptor] = []
        for _ in 0..<40 {
            let pair = try PacketSocket.pair()
            try file.descriptor.sendPacket(Self.call(1), descriptors: [pair.far.descriptor.raw])
            answers.append(pair.near)
        }
        for socket in answers[32...] { #expect(try answer(on: socket) == Errno.again.number) }
        // Others answer meanwhile, and the close ends all of it.
        #expect(try fixture.client().devices().count == 1)
        session.close()
    }

    @Test("on a data file it ends the stream and changes no state")
    func dataFile() throws {
        let fixture = try HostFixture("qat:state=4096")
        let session = try #require(try fixture.sessions().first)
        for bytes in [
            [7], Self.call(99), Self.call(16, 0) + Array(repeating: 0, count: 200_000),
        ] {
            let file = try dataFile(of: session)
            do throws(Errno) {
                try file.descriptor.sendPacket(bytes)
            } catch {
                #expect(error == .messageTooLong)
                continue
            }
            #expect(try answer(on: file) == nil)
            try session.expect(.stopCopy)
        }
        let file = try dataFile(of: session)
        for (bytes, expected) in [
            (Self.call(16, .max), Errno.invalid), (Self.call(16, 1, [0]), .invalid),
            (Self.call(1), .notTypewriter), (Self.call(17, 0, [1]), .badDescriptor),
        ] {
            try file.descriptor.sendPacket(bytes)
            #expect(try answer(on: file) == expected.number)
        }
    }

    /// The data file of a new STOP_COPY stream.
    private func dataFile(of session: any DeviceSession) throws -> SharedDescriptor {
        _ = try session.set(.stop)
        let pair = try PacketSocket.pair()
        try session.keptFiles()[0].file.descriptor.sendPacket(
            Self.call(2, 3),
            descriptors: [pair.far.descriptor.raw]
        )
        let buffer = IOBuffer(byteCount: 64)
        var packet = try unsafe pair.near.descriptor.receivePacket(into: buffer.bytes)
        let file = packet.takeSharedDescriptor()
        return try #require(file)
    }

    @Test("streams nobody closes are dead with the next one, and hold nothing at the host")
    func manyStreams() throws {
        let fixture = try HostFixture("qat:state=4096")
        let session = try #require(try fixture.sessions().first)
        var streams: [any MigrationStream] = []
        for _ in 0..<300 {
            streams.append(try session.stream(.stopCopy))
            _ = try session.set(.stop)
        }
        let live = try session.stream(.stopCopy)
        for stream in streams { #expect(try errno { _ = try stream.readAll() } == .noDevice) }
        #expect(try !live.readAll().isEmpty)
    }
}
