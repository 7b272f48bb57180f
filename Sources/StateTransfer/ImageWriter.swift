internal import Glibc
package import MigrationCore
internal import Synchronization
internal import SystemIO

/// An image being written.
///
///     open ── seal ──▶ sealed
///       └── discard, or a seal that failed ──▶ discarded
///
/// One that is dropped while open stays on disk as a leftover until the next sweep.
package final class ImageWriter: Sendable {
    private enum Stage {
        case open
        case sealed
        case discarded
    }

    package let id: ImageID
    /// The sinks of the members, in the order the record will have.
    package let contents: [ImageContent]
    private let images: ImageDirectory
    private let directory: Directory
    /// Guards the stage, and is held across the seal, so that a discard cannot come between.
    ///
    /// Taken with no other lock held.
    private let stage = Mutex(Stage.open)

    init(_ id: ImageID, in images: ImageDirectory, memberCount: Int) throws(Problem) {
        self.id = id
        self.images = images
        var operation = "mkdir"
        do throws(Errno) {
            if try images.root.contains(id.text) { throw .exists }
            try images.root.makeDirectory(ImageNames.partial(id), mode: 0o700)
            operation = "open"
            directory = try Directory(opening: ImageNames.partial(id), in: images.root)
            var contents: [ImageContent] = []
            for member in 0..<memberCount {
                let name = ImageNames.content(member: member)
                let file = try directory.open(name, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
                contents.append(ImageContent(file))
            }
            self.contents = contents
        } catch {
            if operation == "open" { try? images.remove(ImageNames.partial(id), of: id) }
            throw ImageProblem.storage(id, operation, error)
        }
    }

    /// Makes the image survive the machine, whole and under its name, or discards it.
    ///
    /// The record's members are in the order of ``contents``. Throws `stream-mismatch` when a
    /// member's byte count is not what its file took, and `storage-failed`; after either there is
    /// no image.
    package func seal(_ record: ImageRecord) throws(Problem) {
        try stage.withLock { stage throws(Problem) in
            guard stage == .open, record.id == id else {
                throw Problem(.internalError, "Image \(id) was sealed twice, or as another one.")
            }
            do throws(Problem) {
                try check(record)
                try write(record)
                stage = .sealed
            } catch {
                stage = .discarded
                try? images.remove(ImageNames.partial(id), of: id)
                throw error
            }
        }
    }

    /// Removes everything written so far.
    ///
    /// After the seal, and after a discard, it does nothing.
    package func discard() throws(Problem) {
        try stage.withLock { stage throws(Problem) in
            guard stage == .open else { return }
            stage = .discarded
            try images.remove(ImageNames.partial(id), of: id)
        }
    }

    /// The problem of a write to one of the ``contents`` that failed.
    package func writeProblem(_ errno: Errno) -> Problem {
        ImageProblem.storage(id, "write", errno)
    }

    private func check(_ record: ImageRecord) throws(Problem) {
        let recorded = record.members.map(\.byteCount)
        let accepted = contents.map(\.acceptedByteCount)
        guard recorded == accepted else {
            var facts = Problem.Facts()
            facts.image = id
            throw Problem(
                .streamMismatch,
                "Image \(id): the files took \(accepted) bytes and the record says \(recorded).",
                facts
            )
        }
    }

    private func write(_ record: ImageRecord) throws(Problem) {
        let manifest = try ImageManifest.encode(record)
        var operation = "fsync"
        do throws(Errno) {
            for content in contents { try content.synchronize() }
            operation = "write"
            let file = try directory.open(
                ImageNames.manifest,
                O_WRONLY | O_CREAT | O_EXCL,
                mode: 0o600
            )
            try unsafe manifest.withUnsafeBufferPointer { bytes throws(Errno) in
                try unsafe file.writeAll(UnsafeRawBufferPointer(bytes))
            }
            operation = "fsync"
            try file.synchronize()
            try directory.synchronize()
            operation = "rename"
            try images.root.rename(ImageNames.partial(id), to: id.text)
            operation = "fsync"
            try images.root.synchronize()
        } catch {
            // The name may not survive the machine, so it must not be there now either.
            try? images.delete(id)
            throw ImageProblem.storage(id, operation, error)
        }
    }
}
