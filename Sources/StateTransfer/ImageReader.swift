internal import Glibc
package import MigrationCore
internal import Synchronization
internal import SystemIO

/// The content of one member of an image, read from the very file that was verified.
///
/// ``OpenImage`` hands it out when all of the image was.
package final class ImageReader: Sendable {
    package let image: ImageID
    package let member: ImageRecord.Member
    private let name: String
    private let file: FileDescriptor
    /// Bytes not yet handed out.
    ///
    /// Guards the position too. Innermost.
    private let rest: Mutex<UInt64>

    /// Opens the member's file, which must have its recorded size.
    init(
        _ record: ImageRecord,
        member index: Int,
        in directory: borrowing Directory
    ) throws(Problem) {
        image = record.id
        member = record.members[index]
        name = ImageNames.content(member: index)
        rest = Mutex(record.members[index].byteCount)
        file = try ImageFile.open(name, of: record.id, in: directory)
        try checkLength()
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

    /// Reads from a place of the file on, verified or not, beside whatever else reads; 0 at its end.
    func read(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(Problem) -> Int {
        do throws(Errno) {
            return try unsafe file.read(into: buffer, at: offset)
        } catch {
            throw readProblem(error)
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
    ///
    /// Nothing else may read meanwhile.
    func verify(shouldStop: () -> Bool) throws(Problem) {
        try rewind()
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
        try rewind()
    }

    /// Tallies the file to its end; false when `shouldStop` became true first.
    private func readAll(into tally: Tally, shouldStop: () -> Bool) throws(Errno) -> Bool {
        let buffer = IOBuffer(byteCount: StreamPump.chunkByteCount)
        while !shouldStop() {
            let count = try unsafe file.read(into: buffer.bytes)
            unsafe tally.add(buffer.prefix(count))
            // A file that grows as it is read has no end.
            if count == 0 || tally.byteCount > member.byteCount { return true }
        }
        return false
    }

    private func rewind() throws(Problem) {
        guard lseek(file.raw, 0, SEEK_SET) == 0 else {
            throw ImageProblem.storage(image, "lseek", Errno(number: errno))
        }
    }

    private func checkLength() throws(Problem) {
        let byteCount = try ImageFile.byteCount(of: file, name, of: image)
        guard byteCount == member.byteCount else {
            throw ImageProblem.corrupt(
                image,
                "\(name) has \(byteCount) bytes, and \(member.byteCount) were saved"
            )
        }
    }
}
