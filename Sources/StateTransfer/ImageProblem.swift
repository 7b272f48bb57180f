import MigrationCore

/// The problems of images, all with the image's id.
enum ImageProblem {
    /// The file system failed: `storage-failed` with the call and its errno.
    static func storage(_ id: ImageID?, _ operation: String, _ errno: Errno) -> Problem {
        var facts = Problem.Facts()
        facts.image = id
        facts.operation = operation
        facts.errno = errno
        let what = id.map { "Image \($0)" } ?? "The image directory"
        let advice =
            switch errno.name {
            case "ENOSPC", "EDQUOT": "; free space in the state directory and try again."
            default: "."
            }
        return Problem(
            .storageFailed,
            "\(what): \(operation) failed with \(errno.name)\(advice)",
            facts
        )
    }

    /// The content is not what was saved: `image-corrupt` with what differs.
    static func corrupt(_ id: ImageID, _ difference: String) -> Problem {
        var facts = Problem.Facts()
        facts.image = id
        return Problem(.imageCorrupt, "Image \(id) is corrupt: \(difference).", facts)
    }
}
