/// A saved state of a set: what the catalogue knows of it.
///
/// The content lies in a file.
package struct ImageRecord: Hashable, Sendable, Codable {
    package let id: ImageID
    /// The save that made it.
    package let job: JobID
    package let createdAt: Timestamp
    package var members: [Member]
    /// Whether the source ran on after the save, so that a restore makes a copy.
    package var sourceResumed: Bool
    package var kernelRelease: String

    package init(
        id: ImageID,
        job: JobID,
        createdAt: Timestamp,
        members: [Member],
        sourceResumed: Bool,
        kernelRelease: String
    ) {
        self.id = id
        self.job = job
        self.createdAt = createdAt
        self.members = members
        self.sourceResumed = sourceResumed
        self.kernelRelease = kernelRelease
    }

    /// The state of one device of the set.
    package struct Member: Hashable, Sendable, Codable {
        package let device: DeviceID
        package let driver: String?
        package let vendorID: UInt32?
        package let deviceID: UInt32?
        package let flags: UInt64
        /// Bytes of the stream.
        package let byteCount: UInt64
        /// Lower case hexadecimal.
        package let sha256: String

        package init(
            device: DeviceID,
            driver: String?,
            vendorID: UInt32?,
            deviceID: UInt32?,
            flags: UInt64,
            byteCount: UInt64,
            sha256: String
        ) {
            self.device = device
            self.driver = driver
            self.vendorID = vendorID
            self.deviceID = deviceID
            self.flags = flags
            self.byteCount = byteCount
            self.sha256 = sha256
        }
    }

    package var byteCount: UInt64 { members.reduce(0) { $0 + $1.byteCount } }
}
