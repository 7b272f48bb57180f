/// A saved state of a set of devices.
package struct ImageDTO: Hashable, Sendable, Codable {
    package let id: String
    /// The save that made it.
    package let job: String
    package let createdAt: String
    package let members: [ImageMemberDTO]
    /// Whether the source ran on after the save, so that a restore makes a copy.
    package let sourceResumed: Bool
    /// The kernel that gave the state.
    package let kernelRelease: String
    /// Sum over the members.
    package let sizeBytes: Int64

    package init(
        id: String,
        job: String,
        createdAt: String,
        members: [ImageMemberDTO],
        sourceResumed: Bool,
        kernelRelease: String,
        sizeBytes: Int64
    ) {
        self.id = id
        self.job = job
        self.createdAt = createdAt
        self.members = members
        self.sourceResumed = sourceResumed
        self.kernelRelease = kernelRelease
        self.sizeBytes = sizeBytes
    }
}

/// The state of one device of the set.
package struct ImageMemberDTO: Hashable, Sendable, Codable {
    package let device: String
    package var driver: String?
    package var vendorID: String?
    package var deviceID: String?
    package let flags: [String]
    /// Bytes of the stream.
    package let sizeBytes: Int64
    /// Of the stream, in lower case hexadecimal.
    package let sha256: String

    package init(device: String, flags: [String], sizeBytes: Int64, sha256: String) {
        self.device = device
        self.flags = flags
        self.sizeBytes = sizeBytes
        self.sha256 = sha256
    }
}
