internal import CSystem
internal import Glibc
package import MigrationCore

/// UNIX sockets that keep packets whole and carry descriptors beside them (SOCK_SEQPACKET).
package enum PacketSocket {
    /// Most descriptors beside one packet.
    package static let descriptorLimit = Int(FERRY_MAX_DESCRIPTORS)

    /// A non-blocking listener at a path, with the mode its socket file is to have.
    ///
    /// A socket file nobody listens on is replaced. Throws EADDRINUSE when somebody does.
    package static func listen(at path: String, mode: UInt32) throws(Errno) -> FileDescriptor {
        FileDescriptor(
            owning: try checked(unsafe ferry_listen_packets(path, mode_t(mode), 64))
        )
    }

    /// A blocking connection to the listener at a path.
    ///
    /// Connecting, sending and receiving throw EAGAIN after so many milliseconds; with 0 they wait
    /// without end.
    package static func connect(
        to path: String,
        timeoutMilliseconds: Int32
    ) throws(Errno) -> FileDescriptor {
        FileDescriptor(
            owning: try checked(unsafe ferry_connect_packets(path, timeoutMilliseconds))
        )
    }

    /// Two connected ends, blocking, for packets of up to this size.
    package static func pair(packetByteCount: Int = 4096) throws(Errno) -> PacketPair {
        var ends: [Int32] = [-1, -1]
        _ = try checked(
            unsafe ends.withUnsafeMutableBufferPointer { ends in
                unsafe ferry_packet_pair(
                    ends.baseAddress,
                    Int32(clamping: max(packetByteCount * 2, 1 << 16))
                )
            }
        )
        return PacketPair(
            near: SharedDescriptor(FileDescriptor(owning: ends[0])),
            far: SharedDescriptor(FileDescriptor(owning: ends[1]))
        )
    }

    /// Removes the file of a listener that stops; one that is gone is no error.
    package static func remove(_ path: String) { _ = unsafe unlink(path) }
}

/// The two ends of a connection that has no name.
package struct PacketPair: Sendable {
    package let near: SharedDescriptor
    package let far: SharedDescriptor
}

/// One packet as it came, with the descriptors that came beside it.
package struct ReceivedPacket: ~Copyable {
    package let byteCount: Int
    private var descriptors: [Int32]

    fileprivate init(byteCount: Int, descriptors: [Int32]) {
        self.byteCount = byteCount
        self.descriptors = descriptors
    }

    deinit {
        for descriptor in descriptors { _ = FileDescriptor(owning: descriptor) }
    }

    package var descriptorCount: Int { descriptors.count }

    /// Takes the next descriptor, in the order they were sent; those not taken are closed.
    package mutating func takeDescriptor() -> FileDescriptor? {
        descriptors.isEmpty ? nil : FileDescriptor(owning: descriptors.removeFirst())
    }

    /// The same, for several users.
    package mutating func takeSharedDescriptor() -> SharedDescriptor? {
        guard let descriptor = takeDescriptor() else { return nil }
        return SharedDescriptor(descriptor)
    }
}

extension FileDescriptor {
    /// The next connection of a listener, or nil when there is none now.
    package borrowing func accept() throws(Errno) -> FileDescriptor? {
        do throws(Errno) {
            return FileDescriptor(owning: try checked(ferry_accept(raw)))
        } catch .again {
            return nil
        }
    }

    /// Whether the other end of a connection is closed, whatever is still to be received from it.
    package var isHungUp: Bool { ferry_is_hung_up(raw) != 0 }

    /// Makes calls throw EAGAIN where they would wait.
    package borrowing func setNonBlocking() throws(Errno) {
        _ = try checked(ferry_set_nonblocking(raw))
    }

    /// Makes sending and receiving throw EAGAIN after so many milliseconds; 0 waits without end.
    package borrowing func limitWaits(milliseconds: Int32) throws(Errno) {
        _ = try checked(ferry_limit_waits(raw, milliseconds))
    }

    /// Ends a connection for everybody that holds an end of it; calls that wait return.
    package borrowing func shutDown() { ferry_shut_down(raw) }

    /// Sends one whole packet with duplicates of descriptors, which stay the caller's.
    package borrowing func sendPacket(
        _ bytes: UnsafeRawBufferPointer,
        descriptors: [Int32] = []
    ) throws(Errno) {
        let sent = unsafe descriptors.withUnsafeBufferPointer { numbers in
            unsafe ferry_send_packet(
                raw,
                bytes.baseAddress,
                bytes.count,
                numbers.baseAddress,
                numbers.count
            )
        }
        guard sent >= 0 else { throw Errno(number: Int32(-sent)) }
    }

    /// The same with bytes that have an owner.
    package borrowing func sendPacket(
        _ bytes: [UInt8],
        descriptors: [Int32] = []
    ) throws(Errno) {
        try unsafe bytes.withUnsafeBufferPointer { bytes throws(Errno) in
            try unsafe sendPacket(UnsafeRawBufferPointer(bytes), descriptors: descriptors)
        }
    }

    /// Receives one packet; 0 bytes when the other end closed.
    ///
    /// Throws EMSGSIZE, with every descriptor closed, for a packet that does not fit.
    package borrowing func receivePacket(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> ReceivedPacket {
        var numbers = [Int32](repeating: -1, count: PacketSocket.descriptorLimit)
        var count = numbers.count
        let received = unsafe numbers.withUnsafeMutableBufferPointer { numbers in
            unsafe ferry_receive_packet(
                raw,
                buffer.baseAddress,
                buffer.count,
                numbers.baseAddress,
                &count
            )
        }
        guard received >= 0 else { throw Errno(number: Int32(-received)) }
        return ReceivedPacket(byteCount: received, descriptors: Array(numbers[..<count]))
    }
}
