internal import CWorkload
internal import MigrationCore

/// A request of a workload, decoded once.
enum WorkloadRequest: Sendable {
    case adopt(DeviceID, pageTableID: UInt32?)
    case collect(SessionID)
    case confirm(SessionID)
    /// Nil leaves the session without one.
    case putSidecar(SessionID, Sidecar?)
    case getSidecar(SessionID)
}

/// Why a packet is no request.
enum WorkloadRefusal: Error {
    case unknownVersion
    case badRequest(String)
}

extension WorkloadRequest {
    static let byteCount = MemoryLayout<ferry_workload_request>.size
    /// The longest one has a sidecar behind it.
    static let byteCountLimit = byteCount + Sidecar.byteCountLimit

    /// Reads a packet, of which nothing is believed.
    init(_ bytes: UnsafeRawBufferPointer) throws(WorkloadRefusal) {
        guard bytes.count >= 8 else { throw .badRequest("The packet is too short.") }
        guard unsafe bytes.loadUnaligned(as: UInt32.self) == FERRY_WORKLOAD_MAGIC else {
            throw .badRequest("The packet has another magic number.")
        }
        guard
            unsafe bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
                == FERRY_WORKLOAD_VERSION
        else { throw .unknownVersion }
        guard bytes.count >= Self.byteCount else { throw Self.wrongSize(bytes.count) }
        let request = unsafe bytes.loadUnaligned(as: ferry_workload_request.self)
        let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[Self.byteCount...])
        guard unsafe rest.isEmpty || request.call == FERRY_WORKLOAD_PUT_SIDECAR.rawValue else {
            throw Self.wrongSize(bytes.count)
        }
        switch request.call {
        case FERRY_WORKLOAD_ADOPT.rawValue:
            let table = request.page_table_id
            self = .adopt(
                try Self.identifier(request.device, "device"),
                pageTableID: table == FERRY_WORKLOAD_NO_PAGE_TABLE ? nil : table
            )
        case FERRY_WORKLOAD_COLLECT.rawValue:
            self = .collect(try Self.identifier(request.session, "session"))
        case FERRY_WORKLOAD_CONFIRM.rawValue:
            self = .confirm(try Self.identifier(request.session, "session"))
        case FERRY_WORKLOAD_PUT_SIDECAR.rawValue:
            let sidecar = unsafe Sidecar(Array(rest))
            guard unsafe rest.isEmpty || sidecar != nil else { throw Self.wrongSize(bytes.count) }
            self = .putSidecar(try Self.identifier(request.session, "session"), sidecar)
        case FERRY_WORKLOAD_GET_SIDECAR.rawValue:
            self = .getSidecar(try Self.identifier(request.session, "session"))
        default: throw .badRequest("There is no call \(request.call).")
        }
    }

    private static func wrongSize(_ byteCount: Int) -> WorkloadRefusal {
        .badRequest("The packet has \(byteCount) bytes; the call has another size.")
    }

    private static func identifier<Kind, Characters>(
        _ characters: Characters,
        _ field: String
    ) throws(WorkloadRefusal) -> Identifier<Kind> {
        let text: String? = unsafe withUnsafeBytes(of: characters) { bytes in
            guard let end = unsafe bytes.firstIndex(of: 0) else { return nil }
            return unsafe String(decoding: bytes[..<end], as: UTF8.self)
        }
        guard let identifier = text.flatMap({ Identifier<Kind>($0) }) else {
            throw .badRequest("The field \(field) holds no id.")
        }
        return identifier
    }
}

/// An answer to a workload.
struct WorkloadReply: Sendable {
    private var packet = ferry_workload_reply()
    /// Goes behind the struct.
    private var sidecar: Sidecar?

    private init(_ status: ferry_workload_status) {
        packet.magic = FERRY_WORKLOAD_MAGIC
        packet.version = FERRY_WORKLOAD_VERSION
        packet.status = status.rawValue
    }

    static func done(
        _ session: SessionID,
        pageTableID: UInt32? = nil,
        sidecar: Sidecar? = nil
    ) -> Self {
        var reply = Self(FERRY_WORKLOAD_OK)
        reply.sidecar = sidecar
        reply.packet.page_table_id = pageTableID ?? FERRY_WORKLOAD_NO_PAGE_TABLE
        Self.copy(session.text, into: &reply.packet.session)
        return reply
    }

    static func refused(_ problem: Problem) -> Self {
        var reply = Self(FERRY_WORKLOAD_REFUSED)
        Self.copy(problem.code.rawValue, into: &reply.packet.code)
        Self.copy(problem.detail, into: &reply.packet.detail)
        return reply
    }

    static func refused(_ refusal: WorkloadRefusal) -> Self {
        switch refusal {
        case .unknownVersion:
            var reply = Self(FERRY_WORKLOAD_VERSION_UNKNOWN)
            Self.copy(
                "ferryd speaks version \(FERRY_WORKLOAD_VERSION).",
                into: &reply.packet.detail
            )
            return reply
        case .badRequest(let detail):
            var reply = Self(FERRY_WORKLOAD_BAD_REQUEST)
            Self.copy(detail, into: &reply.packet.detail)
            return reply
        }
    }

    /// The packet as it goes over the wire, while `body` runs.
    func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe withUnsafeBytes(of: packet) { bytes throws(Failure) in
            guard let sidecar else { return try unsafe body(bytes) }
            let whole = unsafe Array(bytes) + sidecar.bytes
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
