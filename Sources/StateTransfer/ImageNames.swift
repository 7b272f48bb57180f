import MigrationCore

/// What images are called on disk.
///
/// `~` is in no identifier, so no image's name can be taken for another one's leftover.
enum ImageNames {
    static let manifest = "manifest.json"
    private static let partialEnding = "~partial"
    private static let deletedEnding = "~deleted"
    private static let uploadEnding = "~upload"

    /// `content`, `content.1`, …: the member's place in the record.
    static func content(member: Int) -> String { name("content", member) }

    /// `sidecar`, `sidecar.1`, …: beside the content of the same place.
    static func sidecar(member: Int) -> String { name("sidecar", member) }

    /// The names of every file of an image.
    static func files(of record: ImageRecord) -> Set<String> {
        var names: Set = [manifest]
        for (index, member) in record.members.enumerated() {
            names.insert(content(member: index))
            if member.sidecar != nil { names.insert(sidecar(member: index)) }
        }
        return names
    }

    static func partial(_ id: ImageID) -> String { id.text + partialEnding }

    static func deleted(_ id: ImageID) -> String { id.text + deletedEnding }

    /// An image that comes in: what arrived outlives the daemon, for the upload to go on.
    static func upload(_ id: ImageID) -> String { id.text + uploadEnding }

    /// The image whose upload has this name.
    static func uploaded(_ name: String) -> ImageID? {
        guard name.hasSuffix(uploadEnding) else { return nil }
        return ImageID(String(name.dropLast(uploadEnding.count)))
    }

    /// Whether a crash left this behind: an image not sealed, or one not wholly deleted.
    static func isLeftover(_ name: String) -> Bool {
        [partialEnding, deletedEnding].contains { ending in
            name.hasSuffix(ending) && ImageID(String(name.dropLast(ending.count))) != nil
        }
    }

    private static func name(_ kind: String, _ member: Int) -> String {
        member == 0 ? kind : "\(kind).\(member)"
    }
}
