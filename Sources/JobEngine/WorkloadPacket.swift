internal import CWorkload
internal import MigrationCore
internal import MigrationPorts

/// The versions of the protocol.
///
/// The layout of one begins with that of the one before.
enum WorkloadVersion: UInt32, Sendable {
    /// Character devices only.
    case first = 1
    /// Groups too.
    case second = 2

    var requestByteCount: Int {
        switch self {
        case .first: Int(FERRY_WORKLOAD_REQUEST_SIZE_1)
        case .second: MemoryLayout<ferry_workload_request>.size
        }
    }

    var replyByteCount: Int {
        switch self {
        case .first: Int(FERRY_WORKLOAD_REPLY_SIZE_1)
        case .second: MemoryLayout<ferry_workload_reply>.size
        }
    }
}

/// A request of a workload, decoded once.
struct WorkloadRequest: Sendable {
    enum Call: Sendable {
        case adopt(DeviceID, DeviceDescriptors.Path)
        case collect(SessionID)
        case confirm(SessionID)
        /// Nil leaves the session without one.
        case putSidecar(SessionID, Sidecar?)
        case getSidecar(SessionID)
    }

    let version: WorkloadVersion
    let call: Call
}

/// Why a packet is no request.
enum WorkloadRefusal: Error {
    case unknownVersion
    case badRequest(WorkloadVersion, String)
}

extension WorkloadRequest {
    /// The longest one has a sidecar behind it.
    static let byteCountLimit =
        MemoryLayout<ferry_workload_request>.size + Sidecar.byteCountLimit

    /// Reads a packet, of which nothing is believed.
    init(_ bytes: UnsafeRawBufferPointer) throws(WorkloadRefusal) {
        guard bytes.count >= 8 else { throw .badRequest(.first, "The packet is too short.") }
        guard unsafe bytes.loadUnaligned(as: UInt32.self) == FERRY_WORKLOAD_MAGIC else {
            throw .badRequest(.first, "The packet has another magic number.")
        }
        let number = unsafe bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        guard let version = WorkloadVersion(rawValue: number) else { throw .unknownVersion }
        self.version = version
        do throws(Flaw) {
            self.call = try unsafe Self.call(bytes, version)
        } catch {
            throw .badRequest(version, error.text)
        }
    }

    /// What is wrong with a packet's fields.
    private struct Flaw: Error {
        let text: String
    }

    private static func call(
        _ bytes: UnsafeRawBufferPointer,
        _ version: WorkloadVersion
    ) throws(Flaw) -> Call {
        guard bytes.count >= version.requestByteCount else { throw wrongSize(bytes.count) }
        let fields = unsafe UnsafeRawBufferPointer(rebasing: bytes[..<version.requestByteCount])
        let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[version.requestByteCount...])
        var request = ferry_workload_request()
        unsafe withUnsafeMutableBytes(of: &request) { unsafe $0.copyMemory(from: fields) }
        guard unsafe rest.isEmpty || request.call == FERRY_WORKLOAD_PUT_SIDECAR.rawValue else {
            throw wrongSize(bytes.count)
        }
        guard request.reserved == 0 else { throw Flaw(text: "The field reserved is not 0.") }
        switch request.call {
        case FERRY_WORKLOAD_ADOPT.rawValue:
            return .adopt(try identifier(request.device, "device"), try path(request))
        case FERRY_WORKLOAD_COLLECT.rawValue:
            return .collect(try identifier(request.session, "session"))
        case FERRY_WORKLOAD_CONFIRM.rawValue:
            return .confirm(try identifier(request.session, "session"))
        case FERRY_WORKLOAD_PUT_SIDECAR.rawValue:
            let sidecar = unsafe Sidecar(Array(rest))
            guard unsafe rest.isEmpty || sidecar != nil else { throw wrongSize(bytes.count) }
            return .putSidecar(try identifier(request.session, "session"), sidecar)
        case FERRY_WORKLOAD_GET_SIDECAR.rawValue:
            return .getSidecar(try identifier(request.session, "session"))
        default: throw Flaw(text: "There is no call \(request.call).")
        }
    }

    private static func wrongSize(_ byteCount: Int) -> Flaw {
        Flaw(text: "The packet has \(byteCount) bytes; the call has another size.")
    }

    private static func path(
        _ request: ferry_workload_request
    ) throws(Flaw) -> DeviceDescriptors.Path {
        let table = request.page_table_id
        let hasTable = table != FERRY_WORKLOAD_NO_PAGE_TABLE
        switch request.path {
        case FERRY_WORKLOAD_CDEV.rawValue: return .cdev(pageTableID: hasTable ? table : nil)
        case FERRY_WORKLOAD_GROUP.rawValue where !hasTable: return .group
        case FERRY_WORKLOAD_GROUP.rawValue:
            throw Flaw(text: "A device that was opened by its group has no page table.")
        default: throw Flaw(text: "There is no path \(request.path).")
        }
    }

    private static func identifier<Kind, Characters>(
        _ characters: Characters,
        _ field: String
    ) throws(Flaw) -> Identifier<Kind> {
        let text: String? = unsafe withUnsafeBytes(of: characters) { bytes in
            guard let end = unsafe bytes.firstIndex(of: 0) else { return nil }
            return unsafe String(decoding: bytes[..<end], as: UTF8.self)
        }
        guard let identifier = text.flatMap({ Identifier<Kind>($0) }) else {
            throw Flaw(text: "The field \(field) holds no id.")
        }
        return identifier
    }
}

/// An answer to a workload.
struct WorkloadReply: Sendable {
    private var packet = ferry_workload_reply()
    private let byteCount: Int
    /// Goes behind the struct.
    private var sidecar: Sidecar?

    private init(_ status: ferry_workload_status, _ version: WorkloadVersion) {
        byteCount = version.replyByteCount
        packet.magic = FERRY_WORKLOAD_MAGIC
        packet.version = version.rawValue
        packet.status = status.rawValue
    }

    static func done(
        _ session: SessionID,
        _ version: WorkloadVersion,
        sidecar: Sidecar? = nil
    ) -> Self {
        var reply = Self(FERRY_WORKLOAD_OK, version)
        reply.sidecar = sidecar
        Self.copy(session.text, into: &reply.packet.session)
        return reply
    }

    /// The answer that a device's descriptors travel beside.
    static func collected(
        _ session: SessionID,
        _ path: DeviceDescriptors.Path,
        _ version: WorkloadVersion
    ) -> Self {
        var reply = done(session, version)
        switch path {
        case .cdev(let pageTableID):
            reply.packet.path = FERRY_WORKLOAD_CDEV.rawValue
            reply.packet.page_table_id = pageTableID ?? FERRY_WORKLOAD_NO_PAGE_TABLE
        case .group: reply.packet.path = FERRY_WORKLOAD_GROUP.rawValue
        }
        return reply
    }

    static func refused(_ problem: Problem, _ version: WorkloadVersion) -> Self {
        var reply = Self(FERRY_WORKLOAD_REFUSED, version)
        Self.copy(problem.code.rawValue, into: &reply.packet.code)
        Self.copy(problem.detail, into: &reply.packet.detail)
        return reply
    }

    static func refused(_ refusal: WorkloadRefusal) -> Self {
        switch refusal {
        case .unknownVersion:
            var reply = Self(FERRY_WORKLOAD_VERSION_UNKNOWN, .first)
            reply.packet.version = FERRY_WORKLOAD_VERSION
            Self.copy(
                "ferryd speaks the versions 1 to \(FERRY_WORKLOAD_VERSION).",
                into: &reply.packet.detail
            )
            return reply
        case .badRequest(let version, let detail):
            var reply = Self(FERRY_WORKLOAD_BAD_REQUEST, version)
            Self.copy(detail, into: &reply.packet.detail)
            return reply
        }
    }

    /// The packet as it goes over the wire, while `body` runs.
    func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe withUnsafeBytes(of: packet) { bytes throws(Failure) in
            let fields = unsafe UnsafeRawBufferPointer(rebasing: bytes[..<byteCount])
            guard let sidecar else { return try unsafe body(fields) }
            let whole = unsafe Array(fields) + sidecar.bytes
            return try unsafe whole.withUnsafeBufferPointer { bytes throws(Failure) in
                try unsafe body(UnsafeRawBufferPointer(bytes))
            }
        }
    }

    /// Copies as many whole characters as leave room for a NUL; the rest stays zero.
    private static func copy<Characters>(_ text: String, into characters: inout Characters) {
        unsafe withUnsafeMutableBytes(of: &characters) { bytes in
            var room = bytes.count - 1
            let whole = text.unicodeScalars.prefix { scalar in
                room -= String(scalar).utf8.count
                return room >= 0
            }
            unsafe bytes.copyBytes(from: String(whole).utf8)
        }
    }
}
