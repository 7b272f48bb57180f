/// A saved state of a set: what the catalogue knows of it, and what its manifest says.
///
/// The content lies in files. What is optional is missing in records of versions that did not know
/// it.
package struct ImageRecord: Hashable, Sendable, Codable {
    package let id: ImageID
    /// The save that made it.
    package let job: JobID
    package let createdAt: Timestamp
    package var members: [Member]
    /// Whether the content may run elsewhere, so that a restore makes a copy: its source ran on after
    /// the save, it was restored, or the image was uploaded.
    ///
    /// This and ``uploadedAt`` are the catalogue's to learn; nothing else of an image ever changes.
    package var sourceResumed: Bool
    package var kernelRelease: String
    /// The architecture of the host that gave the state, as `uname -m` tells it.
    package var machine: String?
    /// The version of Ferry that wrote the image.
    package var ferryVersion: String?
    /// The times of the save that made it.
    package var save: SaveTimes?
    /// When this host took it in; nil for one that was saved here.
    package var uploadedAt: Timestamp?

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

    /// Bytes of every member's stream; `UInt64.max` when they are more.
    package var byteCount: UInt64 {
        members.reduce(0) { total, member in
            let (sum, isOverflow) = total.addingReportingOverflow(member.byteCount)
            return isOverflow ? .max : sum
        }
    }

    /// Bytes of one member's stream; nil when there is no such member.
    package func byteCount(ofMember number: Int?) -> UInt64? {
        guard let number, members.indices.contains(number) else { return nil }
        return members[number].byteCount
    }

    /// When the save of an image was asked for, began, and had read every byte.
    package struct SaveTimes: Hashable, Sendable, Codable {
        package let createdAt: Timestamp
        package let startedAt: Timestamp?
        /// When the last byte of state had been read of the last device.
        package let finishedAt: Timestamp

        package init(createdAt: Timestamp, startedAt: Timestamp?, finishedAt: Timestamp) {
            self.createdAt = createdAt
            self.startedAt = startedAt
            self.finishedAt = finishedAt
        }
    }

    /// The sidecar of a member, which lies in a file of its own.
    package struct SidecarFile: Hashable, Sendable, Codable {
        package let byteCount: UInt64
        /// Lower case hexadecimal.
        package let sha256: String

        package init(byteCount: UInt64, sha256: String) {
            self.byteCount = byteCount
            self.sha256 = sha256
        }
    }
}
