internal import Glibc
package import MigrationCore
internal import SystemIO

/// Images that come in and are not whole yet.
extension ImageDirectory {
    /// What there is of an image that comes in.
    package struct Upload: Hashable, Sendable {
        package let id: ImageID
        /// Bytes of its archive that are there: where the next part begins.
        ///
        /// The end of the last byte of a file; what is no file's is sent again.
        package let byteCount: UInt64
        /// Bytes of the whole archive.
        package let wholeByteCount: UInt64
        /// When the last of them was written.
        package let writtenAt: Timestamp
    }

    /// Begins an image that comes in, in place of what there was of it.
    package func beginUpload(
        of id: ImageID,
        _ bounds: ImageReceiver.Bounds
    ) throws(Problem) -> ImageReceiver {
        try discardUpload(of: id)
        var operation = "mkdir"
        do throws(Errno) {
            if try root.contains(id.text) { throw .exists }
            try root.makeDirectory(ImageNames.upload(id), mode: 0o700)
            operation = "open"
            let directory = try Directory(opening: ImageNames.upload(id), in: root)
            return ImageReceiver(id, in: self, directory, bounds)
        } catch {
            if operation == "open" { try? discardUpload(of: id) }
            throw ImageProblem.storage(id, operation, error)
        }
    }

    /// Goes on with an image of which a part is there.
    ///
    /// Reads all of that part. Throws `image-corrupt` when it is not what it was.
    package func resumeUpload(
        of id: ImageID,
        _ bounds: ImageReceiver.Bounds
    ) throws(Problem) -> ImageReceiver {
        let directory = try uploadDirectory(of: id)
        let (archive, upload) = try found(id, in: directory)
        let receiver = ImageReceiver(id, in: self, directory, bounds)
        try receiver.takeUp(upload, archive)
        return receiver
    }

    /// What there is of an image that comes in; nil when that is no byte of a file's.
    package func upload(of id: ImageID) throws(Problem) -> Upload? {
        let (_, upload) = try found(id, in: uploadDirectory(of: id))
        return upload.byteCount > 0 ? upload : nil
    }

    /// Every image that comes in; what can never be gone on with is removed.
    ///
    /// For start-up.
    package func uploads() throws(Problem) -> [Upload] {
        let names: [String]
        do throws(Errno) {
            names = try root.names()
        } catch {
            throw ImageProblem.storage(nil, "readdir", error)
        }
        var uploads: [Upload] = []
        for id in names.compactMap(ImageNames.uploaded) {
            do throws(Problem) {
                if let upload = try upload(of: id) {
                    uploads.append(upload)
                    continue
                }
            } catch {
                // A disk that fails says nothing of what came: it stays, for a start that can read.
                guard error.code == .imageCorrupt else { continue }
            }
            // What cannot be removed either is told to whoever begins this upload.
            try? discardUpload(of: id)
        }
        return uploads
    }

    /// Removes what there is of an image that comes in.
    ///
    /// Nothing is no error.
    package func discardUpload(of id: ImageID) throws(Problem) {
        try remove(ImageNames.upload(id), of: id)
    }

    private func uploadDirectory(of id: ImageID) throws(Problem) -> Directory {
        do throws(Errno) {
            return try Directory(opening: ImageNames.upload(id), in: root)
        } catch {
            throw ImageProblem.storage(id, "open", error)
        }
    }

    private func found(
        _ id: ImageID,
        in directory: borrowing Directory
    ) throws(Problem) -> (ImageArchive, Upload) {
        let manifest = try ImageFile.bytes(
            of: ImageNames.manifest,
            of: id,
            in: directory,
            limit: ImageManifest.byteCountLimit
        )
        let archive = try ImageArchive(ImageManifest.decode(manifest, of: id), manifest: manifest)
        var arrived: UInt64 = 0
        var writtenAt = Timestamp(millisecondsSinceEpoch: 0)
        for span in archive.spans {
            guard case .file(let index) = span.content else { continue }
            let file = try status(of: archive.files[index].name, of: id, in: directory)
            let byteCount = UInt64(clamping: file.st_size)
            writtenAt = max(writtenAt, file.writtenAt)
            if byteCount > 0 { arrived = span.offset + min(byteCount, span.byteCount) }
            guard byteCount >= span.byteCount else { break }
        }
        let upload = Upload(
            id: id,
            byteCount: arrived,
            wholeByteCount: archive.byteCount,
            writtenAt: writtenAt
        )
        return (archive, upload)
    }

    private func status(
        of name: String,
        of id: ImageID,
        in directory: borrowing Directory
    ) throws(Problem) -> stat {
        let file = try ImageFile.open(name, of: id, in: directory)
        var status = stat()
        guard unsafe fstat(file.raw, &status) == 0 else {
            throw ImageProblem.storage(id, "fstat", Errno(number: errno))
        }
        return status
    }
}

extension stat {
    fileprivate var writtenAt: Timestamp {
        Timestamp(
            millisecondsSinceEpoch: Int64(st_mtim.tv_sec) * 1000
                + Int64(st_mtim.tv_nsec) / 1_000_000
        )
    }
}
