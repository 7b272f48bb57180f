internal import Glibc
import MigrationCore
internal import Synchronization
internal import SystemIO

/// The files an image is received into, and what is in them already.
extension ImageReceiver {
    func create(_ file: ImageArchive.File) throws(Problem) -> FileDescriptor {
        try open(file, O_WRONLY | O_CREAT | O_EXCL)
    }

    func open(_ file: ImageArchive.File, _ flags: Int32) throws(Problem) -> FileDescriptor {
        do throws(Errno) {
            return try directory.open(file.name, flags, mode: 0o600)
        } catch {
            throw ImageProblem.storage(id, "open", error)
        }
    }

    /// Throws `storage-failed` with ENOSPC when so many bytes would leave too few free.
    func checkSpace(for byteCount: UInt64) throws(Problem) {
        let available: UInt64
        do throws(Errno) {
            available = try directory.availableByteCount()
        } catch {
            throw ImageProblem.storage(id, "statvfs", error)
        }
        let (wanted, isOverflow) = byteCount.addingReportingOverflow(bounds.spareByteCount)
        guard !isOverflow, wanted <= available else {
            throw ImageProblem.noSpace(
                id,
                wanted: byteCount,
                available: available,
                spare: bounds.spareByteCount
            )
        }
    }

    /// Goes on where an earlier receiver ended, and reads what that left: it is verified as if it
    /// came now.
    func takeUp(_ upload: ImageDirectory.Upload, _ archive: ImageArchive) throws(Problem) {
        try checkSpace(for: archive.byteCount - upload.byteCount)
        try state.withLock { state throws(Problem) in
            state.archive = archive
            state.done = archive.spans[0].byteCount
            try advance(&state, archive)
            while archive.spans[state.place].offset + state.done < upload.byteCount {
                let span = archive.spans[state.place]
                let wanted = min(span.byteCount, upload.byteCount - span.offset)
                if case .file(let index) = span.content {
                    state.file = try reread(archive.files[index], wanted)
                }
                state.done = wanted
                try advance(&state, archive)
            }
            // What a death of the machine left behind that byte did not come in its order.
            for span in archive.spans where span.offset >= upload.byteCount {
                if case .file(let index) = span.content {
                    _ = try open(archive.files[index], O_WRONLY | O_TRUNC)
                }
            }
        }
    }

    /// Digests the first bytes of a file, cuts off what follows, and stands behind them to write.
    private func reread(
        _ recorded: ImageArchive.File,
        _ byteCount: UInt64
    ) throws(Problem) -> ReceivedFile {
        var received = try ReceivedFile(open(recorded, O_RDWR))
        let buffer = IOBuffer(byteCount: StreamPump.chunkByteCount)
        var rest = byteCount
        while rest > 0 {
            let wanted = unsafe min(buffer.bytes.count, Int(clamping: rest))
            let count: Int
            do throws(Errno) {
                count = try unsafe received.file.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<wanted])
                )
            } catch {
                throw ImageProblem.storage(id, "read", error)
            }
            guard count > 0 else {
                throw ImageProblem.corrupt(id, "\(recorded.name) has become shorter")
            }
            try unsafe received.digest.update(buffer.prefix(count))
            rest -= UInt64(count)
        }
        guard ftruncate(received.file.raw, off_t(byteCount)) == 0 else {
            throw ImageProblem.storage(id, "ftruncate", Errno(number: errno))
        }
        return received
    }
}
