import Dispatch
import Glibc
import MigrationCore
import MigrationPorts
import SimulatedDevices
import Synchronization
import SystemIO
import Testing

/// Something at a socket that answers every packet with the same bytes, and hands out one end of a
/// pair whose other end does so too.
private final class FalseHost: Sendable {
    let path: String
    private let answer: [UInt8]
    /// How many answers are a list without devices first.
    private let lists: Atomic<Int>
    private let queue = DispatchQueue(label: "test.host")
    private let listener: SharedDescriptor
    private let source: ReadSource
    // Guards what has to live as long as the host; a leaf.
    private let sources = Mutex<[ReadSource]>([])

    init(answering answer: [UInt8], firstAnswers lists: Int = 0) throws {
        var template = Array("/tmp/ferry-simd-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Errno(number: errno) }
        let directory = template.dropLast().map { UInt8(bitPattern: $0) }
        path = String(decoding: directory, as: UTF8.self) + "/simd.sock"
        self.answer = answer
        self.lists = Atomic(lists)
        listener = SharedDescriptor(try PacketSocket.listen(at: path, mode: 0o600))
        let accepting = Mutex<(@Sendable () -> Void)?>(nil)  // Guards the handler; a leaf.
        let handler: @Sendable () -> Void = { accepting.withLock { $0 }?() }
        source = ReadSource(listener, on: queue, handler)
        accepting.withLock { $0 = { [weak self] in self?.accept() } }
        source.resume()
    }

    func stop() {
        source.cancel()
        for source in sources.withLock({ $0 }) { source.cancel() }
        PacketSocket.remove(path)
        unsafe rmdir(String(path.dropLast("/simd.sock".count)))
    }

    private func accept() {
        guard let accepted = try? listener.descriptor.accept() else { return }
        serve(SharedDescriptor(accepted))
    }

    private func serve(_ file: SharedDescriptor) {
        let source = ReadSource(file, on: queue) { [weak self] in self?.answer(file) }
        sources.withLock { $0.append(source) }
        source.resume()
    }

    private func answer(_ file: SharedDescriptor) {
        let buffer = IOBuffer(byteCount: 256 << 10)
        guard var packet = try? unsafe file.descriptor.receivePacket(into: buffer.bytes),
            packet.byteCount > 0
        else { return file.descriptor.shutDown() }
        let answers = packet.takeSharedDescriptor() ?? file
        guard let pair = try? PacketSocket.pair(packetByteCount: 256 << 10) else { return }
        serve(pair.near)
        let isList = lists.subtract(1, ordering: .relaxed).oldValue > 0
        let head = isList ? HostileHostTests.head(0, 0, 0) : answer
        try? answers.descriptor.sendPacket(head, descriptors: [pair.far.descriptor.raw])
    }
}

@Suite("What a ferry-simd that is none answers")
struct HostileHostTests {
    fileprivate static func head(_ errno: UInt32, _ first: UInt64, _ second: UInt64) -> [UInt8] {
        bytes(0x3141_5346 as UInt32) + bytes(errno) + bytes(first) + bytes(second)
    }

    private static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> Number($0 * 8)) }
    }

    @Test("no list is made of what is none")
    func lists() throws {
        for answer in [
            [1], Array(repeating: 0xff, count: 24), Self.head(0, 0, 5), Self.head(0, 1, 1),
            Self.head(0, .max, .max), Self.head(5000, 0, 0), Self.head(22, 0, 0),
            Self.head(0, 1, 1) + [200], Self.head(0, 1, 1) + [3, 0x2f, 0x2f, 0x2f],
            Self.head(0, 1, 1) + [2, 0xff, 0xfe] + Array(repeating: 0, count: 200),
            Self.head(0, 0, 0) + [0],
            Array(repeating: 0, count: 60_000),
        ] {
            let host = try FalseHost(answering: answer)
            defer { host.stop() }
            let problem = #expect(throws: Problem.self) { try HostedBackend(path: host.path) }
            #expect(problem?.code == .deviceGone)
        }
    }

    @Test("a device that answers what nobody asked for fails each call, and nothing else")
    func devices() throws {
        // Good enough for a list without devices, and for a device without migration.
        let host = try FalseHost(answering: Self.head(0, 0, 0))
        defer { host.stop() }
        let client = try HostedBackend(path: host.path)
        #expect(client.devices().isEmpty)
        let session = try client.open(id("sim-0"), joining: nil)
        #expect(session.support == .none)
        #expect(try session.state() == .known(.error))
        // A data file beside an answer that tells of none.
        #expect(try errno { _ = try session.set(.stop) } == .protocolError)
        session.close()
        #expect(try errno { _ = try session.state() } == .noDevice)

        let other = try FalseHost(answering: Self.head(0, 1, 7) + Array(repeating: 9, count: 300))
        defer { other.stop() }
        #expect(throws: Problem.self) { try HostedBackend(path: other.path) }
    }

    @Test("a stream takes no more bytes than it asked for, and sends none that are not counted")
    func streams() throws {
        // One stream, or one byte that is not there, or one taken of none: as the call has it.
        let host = try FalseHost(answering: Self.head(0, 1, 0), firstAnswers: 1)
        defer { host.stop() }
        let client = try HostedBackend(path: host.path)
        let session = try client.open(id("sim-0"), joining: nil)
        let stream = try session.stream(.stopCopy)
        let buffer = IOBuffer(byteCount: 64)
        #expect(try errno { _ = try unsafe stream.read(into: buffer.bytes) } == .protocolError)
        #expect(try errno { _ = try unsafe stream.write(buffer.prefix(0)) } == .protocolError)
        #expect(try unsafe stream.write(buffer.prefix(1)) == 1)
        stream.close()
        #expect(try errno { _ = try unsafe stream.write(buffer.prefix(1)) } == .noDevice)
    }
}
