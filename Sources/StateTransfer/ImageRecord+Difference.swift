import MigrationCore

extension ImageRecord {
    /// What this record says otherwise than another one of the same image, by its name; nil when
    /// they agree.
    ///
    /// What becomes of the source later and when the image was taken in is the catalogue's to know; the
    /// rest never changes. No value is told, for a manifest may say anything.
    func difference(from other: ImageRecord) -> String? {
        var same = self
        same.sourceResumed = other.sourceResumed
        same.uploadedAt = other.uploadedAt
        guard same != other else { return nil }
        if id != other.id { return "id" }
        if job != other.job { return "job" }
        if members.count != other.members.count { return "number of members" }
        for (index, (member, otherMember)) in zip(members, other.members).enumerated() {
            if let difference = member.difference(from: otherMember) {
                return "\(difference) of member \(index), \(otherMember.device)"
            }
        }
        if kernelRelease != other.kernelRelease { return "kernel release" }
        if machine != other.machine { return "machine" }
        if ferryVersion != other.ferryVersion { return "version of Ferry" }
        return "time"
    }
}

extension ImageRecord.Member {
    fileprivate func difference(from other: Self) -> String? {
        guard self != other else { return nil }
        if device != other.device { return "device" }
        if byteCount != other.byteCount { return "byte count" }
        if sha256 != other.sha256 { return "SHA-256" }
        if sidecar != other.sidecar { return "sidecar" }
        if driver != other.driver { return "driver" }
        if flags != other.flags { return "set of flags" }
        return "identity"
    }
}
