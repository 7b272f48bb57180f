package import MigrationCore

/// Reads an image as an archive, from any byte on.
///
/// Its files are open, so it is the image of the moment it was opened, whatever becomes of that.
/// What is read is what lies on the disk: who takes the archive in verifies it.
package final class ArchiveReader: Sendable {
    private let image: OpenImage
    private let archive: ImageArchive

    package init(_ image: OpenImage) throws(Problem) {
        self.image = image
        archive = try ImageArchive(image.record, manifest: image.manifest)
    }

    /// Bytes of the whole archive.
    package var byteCount: UInt64 { archive.byteCount }

    /// Names these very bytes: letters and digits.
    package var tag: String { archive.tag }

    /// Reads as many bytes as fit and follow each other; 0 behind the last one.
    ///
    /// Blocking; several threads may read at once. Throws `image-corrupt` when a file has become
    /// shorter, and `storage-failed`.
    package func read(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(Problem) -> Int {
        var count = 0
        while count < buffer.count {
            let position = offset + UInt64(count)
            guard let place = archive.place(of: position) else { break }
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
            count += try unsafe read(archive.spans[place], into: rest, at: position)
        }
        return count
    }

    private func read(
        _ span: ImageArchive.Span,
        into buffer: UnsafeMutableRawBufferPointer,
        at position: UInt64
    ) throws(Problem) -> Int {
        let skipped = position - span.offset
        let wanted = min(buffer.count, Int(clamping: span.byteCount - skipped))
        let part = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
        switch span.content {
        case .fixed(let bytes):
            unsafe part.copyBytes(from: bytes[Int(skipped)...].prefix(wanted))
            return wanted
        case .file(let index):
            let file = archive.files[index]
            if file.isSidecar, let sidecar = image.sidecars[file.member] {
                unsafe part.copyBytes(from: sidecar.bytes[Int(skipped)...].prefix(wanted))
                return wanted
            }
            let count = try unsafe image.readers[file.member].read(into: part, at: skipped)
            guard count > 0 else {
                throw ImageProblem.corrupt(image.record.id, "\(file.name) has become shorter")
            }
            return count
        }
    }
}
