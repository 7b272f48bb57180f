import MigrationCore

extension ImageRecord {
    /// Most bytes of a name or a version in a record that somebody sent.
    private static let textByteLimit = 256

    /// What cannot be so in a record that somebody sent; nil when it could be of a save.
    ///
    /// No value is told, for a manifest may say anything.
    var implausibility: String? {
        guard (1...ImageDirectory.memberLimit).contains(members.count) else {
            return "\(members.count) members, not 1 to \(ImageDirectory.memberLimit)"
        }
        guard Set(members.map(\.device)).count == members.count else {
            return "a device that is two of its members"
        }
        let texts = [kernelRelease, machine, ferryVersion] + members.flatMap(\.texts)
        guard texts.allSatisfy({ ($0?.utf8.count ?? 0) <= Self.textByteLimit }) else {
            return "a text of more than \(Self.textByteLimit) bytes"
        }
        let sidecars = members.compactMap(\.sidecar)
        guard sidecars.allSatisfy({ (1...UInt64(Sidecar.byteCountLimit)).contains($0.byteCount) })
        else { return "a sidecar that has not 1 to \(Sidecar.byteCountLimit) bytes" }
        let digests = members.map(\.sha256) + sidecars.map(\.sha256)
        guard digests.allSatisfy(Self.isDigest) else {
            return "a SHA-256 that is not 64 digits in lower case"
        }
        return nil
    }

    private static func isDigest(_ text: String) -> Bool {
        text.utf8.count == 64
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}

extension ImageRecord.Member {
    fileprivate var texts: [String?] { [address, driver] }
}
