import CWorkload
import Dispatch
import Glibc
import MigrationCore
import SystemIO

/// A program at the workload socket that sends whatever bytes it likes.
///
/// Its calls block, so they are made on a queue of its own.
final class WorkloadClient: Sendable {
    /// What came back.
    struct Reply: Sendable {
        let status: UInt32
        let version: UInt32
        let session: String
        let code: String
        let detail: String
        let pageTableID: UInt32
        let path: UInt32
        let byteCount: Int
        /// The inodes of the descriptors that came along.
        let inodes: [UInt64]
        /// What followed the struct.
        let sidecar: [UInt8]
    }

    private let socket: SharedDescriptor
    private let queue = DispatchQueue(label: "test.workload")

    init(_ path: String) throws {
        let raw = Glibc.socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0)
        guard raw >= 0 else { throw Errno(number: errno) }
        socket = SharedDescriptor(FileDescriptor(owning: raw))
        // Longer than any wait of the engine: a test that would hang fails instead.
        var limit = timeval(tv_sec: 120, tv_usec: 0)
        let limitSize = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &limit, limitSize)
        unsafe setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &limit, limitSize)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { bytes in
            unsafe bytes.copyBytes(from: path.utf8.prefix(bytes.count - 1))
        }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe connect(raw, address, size)
            }
        }
        guard result == 0 else { throw Errno(number: errno) }
    }

    /// Hangs up for sending: the other end sees the end of the connection.
    func hangUp() { shutdown(socket.descriptor.raw, Int32(SHUT_WR)) }

    /// Sends a request; nil when the other end hung up.
    func ask(
        _ call: UInt32,
        version: UInt32 = UInt32(FERRY_WORKLOAD_VERSION),
        device: String = "",
        session: String = "",
        pageTableID: UInt32 = 0,
        path: UInt32 = FERRY_WORKLOAD_CDEV.rawValue,
        descriptors: [Int32] = []
    ) async throws -> Reply? {
        try await ask(
            Self.request(
                call,
                version: version,
                device: device,
                session: session,
                pageTableID: pageTableID,
                path: path
            ),
            descriptors: descriptors
        )
    }

    /// Sends bytes; nil when the other end hung up.
    func ask(_ bytes: [UInt8], descriptors: [Int32] = []) async throws -> Reply? {
        try await send(bytes, descriptors: descriptors)
        return try await receive()
    }

    func send(_ bytes: [UInt8], descriptors: [Int32] = []) async throws {
        try await performing { socket in
            try unsafe bytes.withUnsafeBytes { bytes in
                try unsafe socket.descriptor.sendPacket(bytes, descriptors: descriptors)
            }
        }
    }

    func receive() async throws -> Reply? {
        try await performing { socket in
            let room = MemoryLayout<ferry_workload_reply>.size + Int(FERRY_WORKLOAD_SIDECAR_LIMIT)
            let buffer = IOBuffer(byteCount: room)
            var packet = try unsafe socket.descriptor.receivePacket(into: buffer.bytes)
            let byteCount = packet.byteCount
            guard byteCount >= Int(FERRY_WORKLOAD_REPLY_SIZE_1) else { return nil }
            // Of the path only a whole reply tells.
            let reply = unsafe buffer.bytes.loadUnaligned(as: ferry_workload_reply.self)
            let isFirst =
                reply.version == 1 || reply.status == FERRY_WORKLOAD_VERSION_UNKNOWN.rawValue
            let size =
                isFirst
                ? Int(FERRY_WORKLOAD_REPLY_SIZE_1) : MemoryLayout<ferry_workload_reply>.size
            guard byteCount >= size else { return nil }
            var inodes: [UInt64] = []
            while let descriptor = packet.takeDescriptor() {
                inodes.append(Self.inode(of: descriptor.raw))
            }
            return Reply(
                status: reply.status,
                version: reply.version,
                session: Self.text(reply.session),
                code: Self.text(reply.code),
                detail: Self.text(reply.detail),
                pageTableID: reply.page_table_id,
                path: reply.path,
                byteCount: byteCount,
                inodes: inodes,
                sidecar: unsafe Array(buffer.prefix(byteCount).dropFirst(size))
            )
        }
    }

    private func performing<Answer: Sendable>(
        _ body: @escaping @Sendable (SharedDescriptor) throws -> Answer
    ) async throws -> Answer {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { [socket] in
                continuation.resume(with: Result { try body(socket) })
            }
        }
    }

    static func request(
        _ call: UInt32,
        magic: UInt32 = FERRY_WORKLOAD_MAGIC,
        version: UInt32 = UInt32(FERRY_WORKLOAD_VERSION),
        device: String = "",
        session: String = "",
        pageTableID: UInt32 = 0,
        path: UInt32 = FERRY_WORKLOAD_CDEV.rawValue
    ) -> [UInt8] {
        var request = ferry_workload_request()
        request.magic = magic
        request.version = version
        request.call = call
        request.page_table_id = pageTableID
        request.path = path
        unsafe withUnsafeMutableBytes(of: &request.device) { field in
            unsafe field.copyBytes(from: device.utf8.prefix(field.count))
        }
        unsafe withUnsafeMutableBytes(of: &request.session) { field in
            unsafe field.copyBytes(from: session.utf8.prefix(field.count))
        }
        let byteCount =
            version == 1
            ? Int(FERRY_WORKLOAD_REQUEST_SIZE_1) : MemoryLayout<ferry_workload_request>.size
        return unsafe withUnsafeBytes(of: &request) { unsafe Array($0.prefix(byteCount)) }
    }

    static func inode(of descriptor: Int32) -> UInt64 {
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0 ? UInt64(status.st_ino) : 0
    }

    private static func text<Characters>(_ field: Characters) -> String {
        unsafe withUnsafeBytes(of: field) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

/// Two files of one's own to hand over as a device and its iommufd.
final class TwoFiles: Sendable {
    private let device: FileDescriptor
    private let iommufd: FileDescriptor

    init(in directory: String) throws {
        let flags = O_RDWR | O_CREAT
        device = try FileDescriptor(opening: directory + "/device", flags, mode: 0o600)
        iommufd = try FileDescriptor(opening: directory + "/iommufd", flags, mode: 0o600)
    }

    var numbers: [Int32] { [device.raw, iommufd.raw] }
    var inodes: [UInt64] { numbers.map(WorkloadClient.inode) }
}
