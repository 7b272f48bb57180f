/// An error as RFC 9457 tells it, with the facts a program needs to act on it.
///
/// Facts that do not apply are left out.
package struct ProblemDTO: Hashable, Sendable, Codable {
    /// `urn:ferry:problem:<code>`: a stable name, nothing to fetch.
    package let type: String
    /// The last part of `type`: `device-busy`.
    package let code: String
    /// The same sentence for every problem of this code.
    package let title: String
    package let status: Int
    /// What happened this time.
    package let detail: String
    /// The resource it happened to.
    package var instance: String?
    /// The request that was answered with it, as `X-Request-Id` names it.
    package var requestId: String?
    package var device: String?
    package var session: String?
    package var image: String?
    package var arc: ArcDTO?
    /// The system call or ioctl that failed.
    package var operation: String?
    /// By name: `EBUSY`.
    package var errno: String?
    package var blockingJob: String?
    package var holders: [HolderDTO]?
    /// JSON pointer (RFC 6901) of the field at fault.
    package var pointer: String?
    /// Where in the filter the fault is: from 1, in characters.
    package var column: Int?
    package var content: String?
    /// Bytes of an image's archive that are there, when it comes in.
    package var receivedBytes: Int64?
    /// Bytes of the whole of it.
    package var sizeBytes: Int64?
    package var reasons: [String]?
    package var retryAfterS: Int?
    /// The methods the resource has.
    package var allow: [String]?

    package init(code: String, title: String, status: Int, detail: String) {
        self.type = "urn:ferry:problem:\(code)"
        self.code = code
        self.title = title
        self.status = status
        self.detail = detail
    }
}

/// A process that has a device open.
package struct HolderDTO: Hashable, Sendable, Codable {
    package let pid: Int32
    package let command: String
    package let uid: UInt32
    /// A service manager, which keeps it open for a unit; left out for any other process.
    package let descriptorStore: Bool?

    package init(pid: Int32, command: String, uid: UInt32, descriptorStore: Bool? = nil) {
        self.pid = pid
        self.command = command
        self.uid = uid
        self.descriptorStore = descriptorStore
    }
}
