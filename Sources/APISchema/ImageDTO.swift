/// A saved state of a set of devices.
package struct ImageDTO: Hashable, Sendable, Codable {
    package let id: String
    /// The save that made it.
    package let job: String
    package let createdAt: String
    package let members: [ImageMemberDTO]
    /// Whether the content may run elsewhere, so that a restore makes a copy.
    package let sourceResumed: Bool
    /// The kernel that gave the state.
    package let kernelRelease: String
    /// The architecture of the host that gave it.
    package var machine: String?
    /// The version of Ferry that wrote the image.
    package var ferryVersion: String?
    package var save: ImageSaveDTO?
    /// When this host took it in; absent for one that was saved here.
    package var uploadedAt: String?
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

/// The times of the save that made an image.
package struct ImageSaveDTO: Hashable, Sendable, Codable {
    package let createdAt: String
    package let startedAt: String?
    /// When the last byte of state had been read of the last device.
    package let finishedAt: String

    package init(createdAt: String, startedAt: String?, finishedAt: String) {
        self.createdAt = createdAt
        self.startedAt = startedAt
        self.finishedAt = finishedAt
    }
}

/// What the user of a device left beside its state.
package struct ImageSidecarDTO: Hashable, Sendable, Codable {
    package let sizeBytes: Int64
    /// In lower case hexadecimal.
    package let sha256: String

    package init(sizeBytes: Int64, sha256: String) {
        self.sizeBytes = sizeBytes
        self.sha256 = sha256
    }
}

/// The state of one device of the set.
package struct ImageMemberDTO: Hashable, Sendable, Codable {
    package let device: String
    package var bus: String?
    /// The bus's own name of the device.
    package var address: String?
    package var driver: String?
    package var vendorID: String?
    package var deviceID: String?
    package var subsystemVendorID: String?
    package var subsystemDeviceID: String?
    package let flags: [String]
    /// Bytes of the stream.
    package let sizeBytes: Int64
    /// Of the stream, in lower case hexadecimal.
    package let sha256: String
    /// Absent when its user left none.
    package var sidecar: ImageSidecarDTO?

    package init(device: String, flags: [String], sizeBytes: Int64, sha256: String) {
        self.device = device
        self.flags = flags
        self.sizeBytes = sizeBytes
        self.sha256 = sha256
    }
}

/// An image that was read whole and is what was saved.
package struct ImageVerificationDTO: Hashable, Sendable, Codable {
    package let image: String
    package let members: [VerifiedMemberDTO]
    package let verifiedAt: String
    package let durationMs: Int64
    /// Bytes of state that were read.
    package let sizeBytes: Int64

    package init(
        image: String,
        members: [VerifiedMemberDTO],
        verifiedAt: String,
        durationMs: Int64,
        sizeBytes: Int64
    ) {
        self.image = image
        self.members = members
        self.verifiedAt = verifiedAt
        self.durationMs = durationMs
        self.sizeBytes = sizeBytes
    }
}

/// The state of one device that was verified.
package struct VerifiedMemberDTO: Hashable, Sendable, Codable {
    package let device: String
    package let sizeBytes: Int64
    /// In lower case hexadecimal.
    package let sha256: String

    package init(device: String, sizeBytes: Int64, sha256: String) {
        self.device = device
        self.sizeBytes = sizeBytes
        self.sha256 = sha256
    }
}
