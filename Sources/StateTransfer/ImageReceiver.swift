internal import Glibc
package import MigrationCore
internal import Synchronization
internal import SystemIO

/// An image that comes in as an archive, a part at a time, and is verified as it comes.
///
///     manifest ──▶ files ──▶ end ── seal ──▶ sealed
///        │           │        │
///        └───────────┴────────┴── discard ──▶ discarded
///
/// What is no file's must be, byte for byte, what the manifest leads to; the files must have their
/// digests. Only a sealed image has its name. One that is dropped before stays on the disk, for
/// ``ImageDirectory/resumeUpload(of:_:)``. All calls block on the file system, one at a time.
package final class ImageReceiver: Sendable {
    /// What an archive must keep to, whatever it says itself.
    package struct Bounds: Sendable {
        /// Most bytes of an archive.
        package var byteLimit: UInt64 = 1 << 40
        /// Bytes of the file system that stay free.
        package var spareByteCount: UInt64 = 256 << 20
        /// Bytes the sender says there are; nil when it does not.
        package var declaredByteCount: UInt64?

        package init() {}
    }

    package let id: ImageID
    let images: ImageDirectory
    let directory: Directory
    let bounds: Bounds
    /// Guards what has come.
    ///
    /// Held across the calls of the file system, so that parts are taken in their order; only
    /// leaves are taken inside.
    let state: Mutex<State>

    struct State: ~Copyable {
        /// The first bytes, up to the end of the manifest.
        var head: [UInt8] = []
        /// Known once the manifest is.
        var archive: ImageArchive?
        /// The span that the next byte belongs to.
        var place = 0
        /// Bytes of it that are there.
        var done: UInt64 = 0
        var file: ReceivedFile?
    }

    init(
        _ id: ImageID,
        in images: ImageDirectory,
        _ directory: consuming Directory,
        _ bounds: Bounds
    ) {
        self.id = id
        self.images = images
        self.directory = directory
        self.bounds = bounds
        state = Mutex(State())
    }

    /// Takes the next bytes.
    ///
    /// Throws `image-corrupt` with what differs, `payload-too-large` and `storage-failed`; after any
    /// of them it can only be discarded.
    package func receive(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        try state.withLock { state throws(Problem) in
            var rest = unsafe bytes
            while unsafe !rest.isEmpty {
                let count = try unsafe take(rest, &state)
                unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
        }
    }

    /// Makes the image survive the machine, whole and under its name.
    ///
    /// Throws `image-corrupt` when bytes are missing, and `storage-failed`.
    package func seal() throws(Problem) -> ImageRecord {
        try state.withLock { state throws(Problem) in
            guard let archive = state.archive else {
                throw ImageProblem.corrupt(
                    id,
                    "its archive ends after \(state.head.count) bytes, within the manifest"
                )
            }
            guard state.place == archive.spans.count else {
                let span = archive.spans[state.place]
                throw ImageProblem.corrupt(
                    id,
                    "its archive ends after \(span.offset + state.done) of \(archive.byteCount) "
                        + "bytes, within \(span.what)"
                )
            }
            try images.publish(directory, named: ImageNames.upload(id), as: id)
            return archive.record
        }
    }

    /// Removes everything that came.
    package func discard() throws(Problem) { try images.discardUpload(of: id) }

    /// How much of the archive is on the disk, so that an upload can go on behind it.
    package func arrived() throws(Problem) -> ImageDirectory.Upload? {
        try state.withLock { _ throws(Problem) in try images.upload(of: id) }
    }

    private func take(
        _ bytes: UnsafeRawBufferPointer,
        _ state: inout State
    ) throws(Problem) -> Int {
        guard let archive = state.archive else { return try unsafe takeHead(bytes, &state) }
        guard state.place < archive.spans.count else {
            throw ImageProblem.corrupt(id, "bytes follow the end of its archive")
        }
        let span = archive.spans[state.place]
        let count = min(bytes.count, Int(clamping: span.byteCount - state.done))
        let part = unsafe UnsafeRawBufferPointer(rebasing: bytes[..<count])
        switch span.content {
        case .fixed(let expected):
            let same = unsafe zip(part, expected[Int(state.done)...]).prefix { $0 == $1 }.count
            guard same == count else {
                let offset = span.offset + state.done + UInt64(same)
                throw ImageProblem.corrupt(
                    id,
                    "its archive differs at byte \(offset), within \(span.what)"
                )
            }
        case .file:
            try unsafe write(part, &state)
        }
        state.done += UInt64(count)
        try advance(&state, archive)
        return count
    }

    private func write(
        _ bytes: UnsafeRawBufferPointer,
        _ state: inout State
    ) throws(Problem) {
        do throws(Errno) {
            try unsafe state.file?.file.writeAll(bytes)
        } catch {
            throw ImageProblem.storage(id, "write", error)
        }
        try unsafe state.file?.digest.update(bytes)
    }

    /// Collects the header of the manifest, and then the manifest.
    private func takeHead(
        _ bytes: UnsafeRawBufferPointer,
        _ state: inout State
    ) throws(Problem) -> Int {
        let block = ArchiveHeader.blockByteCount
        var wanted = block
        if state.head.count >= block {
            guard let size = ArchiveHeader.fileByteCount(in: state.head[...]),
                (1...UInt64(ImageManifest.byteCountLimit)).contains(size)
            else {
                throw ImageProblem.corrupt(
                    id,
                    "its archive does not begin with \(ImageNames.manifest) of 1 to "
                        + "\(ImageManifest.byteCountLimit) bytes"
                )
            }
            wanted += Int(size)
        }
        let count = min(bytes.count, wanted - state.head.count)
        unsafe state.head.append(contentsOf: bytes[..<count])
        if wanted > block, state.head.count == wanted { try begin(&state) }
        return count
    }

    /// The manifest is whole: what is to come is known, and has its files.
    private func begin(_ state: inout State) throws(Problem) {
        let manifest = Array(state.head[ArchiveHeader.blockByteCount...])
        let archive = try checked(manifest, head: state.head)
        state.head = []
        try checkSpace(for: archive.byteCount)
        try ImageFile.write(manifest, to: ImageNames.manifest, of: id, in: directory)
        for file in archive.files { _ = try create(file) }
        state.archive = archive
        state.done = archive.spans[0].byteCount
        try advance(&state, archive)
    }

    private func checked(
        _ manifest: [UInt8],
        head: [UInt8]
    ) throws(Problem) -> ImageArchive {
        let record = try ImageManifest.decode(manifest, of: id)
        guard record.id == id else {
            throw ImageProblem.corrupt(id, "\(ImageNames.manifest) is of another image")
        }
        if let implausibility = record.implausibility {
            throw ImageProblem.corrupt(id, "\(ImageNames.manifest) tells of \(implausibility)")
        }
        let archive = try ImageArchive(record, manifest: manifest)
        guard case .fixed(let bytes)? = archive.spans.first?.content, bytes == head else {
            throw ImageProblem.corrupt(
                id,
                "the header of \(ImageNames.manifest) is not the one of its archive"
            )
        }
        guard archive.byteCount <= bounds.byteLimit else {
            throw ImageProblem.tooLarge(id, archive.byteCount, limit: bounds.byteLimit)
        }
        if let declared = bounds.declaredByteCount, declared != archive.byteCount {
            throw ImageProblem.corrupt(
                id,
                "\(declared) bytes were announced, and its archive has \(archive.byteCount)"
            )
        }
        return archive
    }

    /// Ends the spans that are whole and begins the one after them.
    func advance(_ state: inout State, _ archive: ImageArchive) throws(Problem) {
        while state.place < archive.spans.count {
            let span = archive.spans[state.place]
            guard state.done == span.byteCount else { return }
            if case .file(let index) = span.content {
                if let file = state.file.take() { try file.finish(archive.files[index], of: id) }
            }
            state.place += 1
            state.done = 0
            guard state.place < archive.spans.count else { return }
            if case .file(let index) = archive.spans[state.place].content {
                state.file = try ReceivedFile(open(archive.files[index], O_WRONLY))
            }
        }
    }
}

/// A file of an image that comes in.
struct ReceivedFile: ~Copyable {
    let file: FileDescriptor
    var digest: ContentDigest

    init(_ file: consuming FileDescriptor) throws(Problem) {
        self.file = file
        digest = try ContentDigest()
    }

    /// Makes the file survive the machine when it is what the record says.
    consuming func finish(_ recorded: ImageArchive.File, of image: ImageID) throws(Problem) {
        let sha256 = try digest.hexadecimal()
        guard sha256 == recorded.sha256 else {
            throw ImageProblem.corrupt(
                image,
                "\(recorded.name) has SHA-256 \(sha256), and \(recorded.sha256) was saved"
            )
        }
        do throws(Errno) {
            try file.synchronize()
        } catch {
            throw ImageProblem.storage(image, "fsync", error)
        }
    }
}
