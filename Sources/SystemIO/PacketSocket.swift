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

    /// Removes the file of a listener that stops; one that is gone is no error.
    package static func remove(_ path: String) { _ = unsafe unlink(path) }
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
