internal import Glibc
package import MigrationCore
internal import Synchronization
internal import SystemIO

/// An image being written.
///
///     open ── seal ──▶ sealed
///       └── discard, or a seal that failed ──▶ discarded
///
/// Members may be written and synchronized side by side, each by one thread; then one of them
/// seals. One that is dropped while open stays on disk as a leftover until the next sweep.
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
    /// Guards what is known of the sidecars that were written, by member.
    ///
    /// Innermost.
    private let sidecars = Mutex<[Int: ImageRecord.SidecarFile]>([:])

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

    /// Writes what a member's user keeps of it beside its state, so that it survives the machine.
    ///
    /// Once a member. Returns what the record must say of it.
    package func writeSidecar(
        member: Int,
        _ sidecar: Sidecar
    ) throws(Problem) -> ImageRecord.SidecarFile {
        try check(member)
        let written = ImageRecord.SidecarFile(
            byteCount: UInt64(sidecar.bytes.count),
            sha256: try ContentDigest.hexadecimal(of: sidecar.bytes)
        )
        try ImageFile.write(
            sidecar.bytes,
            to: ImageNames.sidecar(member: member),
            of: id,
            in: directory
        )
        sidecars.withLock { $0[member] = written }
        return written
    }

    /// Makes the content of a member survive the machine.
    ///
    /// For several threads to share the waiting; ``seal(_:)`` does it for those that are left.
    /// After a failure the image can no longer be sealed.
    package func synchronize(member: Int) throws(Problem) {
        try check(member)
        do throws(Errno) {
            try contents[member].synchronize()
        } catch {
            throw ImageProblem.storage(id, "fsync", error)
        }
    }

    /// Makes the image survive the machine, whole and under its name, or discards it.
    ///
    /// The record's members are in the order of ``contents``. Throws `stream-mismatch` when a
    /// member's byte count is not what its file took, or its sidecar not what was written, and
    /// `storage-failed`; after either there is no image.
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

    private func check(_ member: Int) throws(Problem) {
        guard contents.indices.contains(member) else {
            throw Problem(.internalError, "Image \(id) is written without a member \(member).")
        }
    }

    private func check(_ record: ImageRecord) throws(Problem) {
        let recorded = record.members.map(\.byteCount)
        let accepted = contents.map(\.acceptedByteCount)
        guard recorded == accepted else {
            throw mismatch("the files took \(accepted) bytes and the record says \(recorded)")
        }
        let written = sidecars.withLock { $0 }
        for (index, member) in record.members.enumerated() where member.sidecar != written[index] {
            throw mismatch("the record says another sidecar of member \(index) than was written")
        }
    }

    private func mismatch(_ difference: String) -> Problem {
        var facts = Problem.Facts()
        facts.image = id
        return Problem(.streamMismatch, "Image \(id): \(difference).", facts)
    }

    private func write(_ record: ImageRecord) throws(Problem) {
        let manifest = try ImageManifest.encode(record)
        for member in contents.indices { try synchronize(member: member) }
        try ImageFile.write(manifest, to: ImageNames.manifest, of: id, in: directory)
        try images.publish(directory, named: ImageNames.partial(id), as: id)
    }
}
