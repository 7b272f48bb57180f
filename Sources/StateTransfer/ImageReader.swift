internal import Glibc
package import MigrationCore
internal import Synchronization
internal import SystemIO

/// The verified content of one member of an image, read from the very file that was verified.
package final class ImageReader: Sendable {
    package let image: ImageID
    package let member: ImageRecord.Member
    private let name: String
    private let file: FileDescriptor
    /// Bytes not yet handed out.
    ///
    /// Guards the position too. Innermost.
    private let rest: Mutex<UInt64>

    init(
        _ record: ImageRecord,
        member index: Int,
        in directory: borrowing Directory
    ) throws(Problem) {
        guard record.members.indices.contains(index) else {
            throw Problem(.internalError, "Image \(record.id) has no member \(index).")
        }
        image = record.id
        member = record.members[index]
        name = ImageNames.content(member: index)
        rest = Mutex(record.members[index].byteCount)
        do throws(Errno) {
            // Not blocking, so that a FIFO in the content's place cannot hold the thread.
            file = try directory.open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY)
        } catch .noEntry {
            throw ImageProblem.corrupt(record.id, "\(name) is missing")
        } catch {
            if error.number == ELOOP {
                throw ImageProblem.corrupt(record.id, "\(name) is a symbolic link")
            }
            throw ImageProblem.storage(record.id, "open", error)
        }
    }

    /// Reads on, from the start of the content; 0 at its recorded end, or before when the file
    /// became shorter since it was verified.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try rest.withLock { rest throws(Errno) in
            let wanted = min(buffer.count, Int(clamping: rest))
            guard wanted > 0 else { return 0 }
            let count = try unsafe file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
            )
            rest -= UInt64(count)
            return count
        }
    }

    /// Bars LOADED with `image-corrupt` unless what was read is what was verified: the file may
    /// have been changed in between.
    package func finish(_ end: EndRecord) throws(Problem) {
        let recorded = EndRecord(byteCount: member.byteCount, sha256: member.sha256)
        guard end == recorded else {
            throw ImageProblem.corrupt(
                image,
                "\(name) changed after it was verified: \(end.byteCount) bytes with SHA-256 "
                    + "\(end.sha256) were read, \(recorded.byteCount) with \(recorded.sha256) saved"
            )
        }
    }

    /// The problem of a read that failed.
    package func readProblem(_ errno: Errno) -> Problem {
        ImageProblem.storage(image, "read", errno)
    }

    /// Reads the whole file, compares, and goes back to its start.
    func verify(shouldStop: () -> Bool) throws(Problem) {
        try checkLength()
        let tally = try Tally()
        let isWhole: Bool
        do throws(Errno) {
            isWhole = try readAll(into: tally, shouldStop: shouldStop)
        } catch {
            throw readProblem(error)
        }
        guard isWhole else {
            throw Problem(.cancelled, "The job was called off while image \(image) was verified.")
        }
        try checkLength()
        let end = try tally.end()
        guard end.sha256 == member.sha256 else {
            throw ImageProblem.corrupt(
                image,
                "\(name) has SHA-256 \(end.sha256), and \(member.sha256) was saved"
            )
        }
        guard lseek(file.raw, 0, SEEK_SET) == 0 else {
            throw ImageProblem.storage(image, "lseek", Errno(number: errno))
        }
    }

    /// Tallies the file to its end; false when `shouldStop` became true first.
    private func readAll(into tally: Tally, shouldStop: () -> Bool) throws(Errno) -> Bool {
        let buffer = IOBuffer(byteCount: StreamPump.chunkByteCount)
        while !shouldStop() {
            let count = try unsafe file.read(into: buffer.bytes)
            if count == 0 { return true }
            unsafe tally.add(buffer.prefix(count))
        }
        return false
    }

    private func checkLength() throws(Problem) {
        var status = stat()
        guard unsafe fstat(file.raw, &status) == 0 else {
            throw ImageProblem.storage(image, "fstat", Errno(number: errno))
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw ImageProblem.corrupt(image, "\(name) is not a regular file")
        }
        guard UInt64(clamping: status.st_size) == member.byteCount else {
            throw ImageProblem.corrupt(
                image,
                "\(name) has \(status.st_size) bytes, and \(member.byteCount) were saved"
            )
        }
    }
}
