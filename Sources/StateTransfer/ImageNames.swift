import MigrationCore

/// What images are called on disk.
///
/// `~` is in no identifier, so no image's name can be taken for another one's leftover.
enum ImageNames {
    static let manifest = "manifest.json"
    private static let partialEnding = "~partial"
    private static let deletedEnding = "~deleted"

    /// `content`, `content.1`, …: the member's place in the record.
    static func content(member: Int) -> String {
        member == 0 ? "content" : "content.\(member)"
    }

    static func partial(_ id: ImageID) -> String { id.text + partialEnding }

    static func deleted(_ id: ImageID) -> String { id.text + deletedEnding }

    /// Whether a crash left this behind: an image not sealed, or one not wholly deleted.
    static func isLeftover(_ name: String) -> Bool {
        [partialEnding, deletedEnding].contains { ending in
            name.hasSuffix(ending) && ImageID(String(name.dropLast(ending.count))) != nil
        }
    }
}
