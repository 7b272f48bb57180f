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

    /// There is too little room for what is to come: `storage-failed` with ENOSPC, before it is
    /// written.
    static func noSpace(
        _ id: ImageID,
        wanted: UInt64,
        available: UInt64,
        spare: UInt64
    ) -> Problem {
        var problem = storage(id, "statvfs", .noSpace)
        problem.detail =
            "Image \(id) needs \(wanted) bytes and \(available) are free, of which \(spare) stay so; "
            + "free space in the state directory and try again."
        return problem
    }

    /// `payload-too-large` for an archive over the limit.
    static func tooLarge(_ id: ImageID, _ byteCount: UInt64, limit: UInt64) -> Problem {
        var facts = Problem.Facts()
        facts.image = id
        return Problem(
            .payloadTooLarge,
            "The archive of image \(id) has \(byteCount) bytes, and at most \(limit) are taken.",
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
