internal import Glibc
import MigrationCore
import SystemIO

/// The write-ahead log beside a store, looked at before SQLite does.
///
/// SQLite takes the first frame with a wrong checksum for the end of the log and says nothing of
/// what comes behind it. That is right for a write that was cut off: it is the last one there is.
/// Where whole changes were written behind it, they are lost, and somebody has to say so.
enum WriteAheadLog {
    // The format is SQLite's: a header, then frames of a header and a page.
    private static let headerLength = 32
    private static let frameHeaderLength = 24

    /// What SQLite will leave out of the log of the store at this path; nil for nothing.
    static func damage(beside path: String) throws(Errno) -> DamagedRecord? {
        let file: FileDescriptor
        do throws(Errno) {
            file = try FileDescriptor(opening: "\(path)-wal", O_RDONLY | O_NOCTTY)
        } catch .noEntry {
            return nil
        }
        let buffer = IOBuffer(byteCount: frameHeaderLength + 65_536)
        guard try fill(buffer, headerLength, from: file) == headerLength else { return nil }
        guard let header = unsafe Header(buffer.prefix(headerLength)) else {
            return DamagedRecord(
                record: "the write-ahead log \(path)-wal",
                reason: "its header is damaged, so that nothing in it can be read"
            )
        }
        let (whole, lost) = try count(header, buffer, in: file)
        guard lost > 0 else { return nil }
        return DamagedRecord(
            record: "the write-ahead log \(path)-wal behind frame \(whole)",
            reason: "a checksum is wrong, and at least \(lost) changes behind it are lost"
        )
    }

    /// The frames that can be read, and the commits behind the first that cannot.
    private static func count(
        _ header: Header,
        _ buffer: IOBuffer,
        in file: borrowing FileDescriptor
    ) throws(Errno) -> (whole: Int, lost: Int) {
        var checksum = header.checksum
        var (whole, lost) = (0, 0)
        var isBroken = false
        let length = frameHeaderLength + header.pageLength
        while try fill(buffer, length, from: file) == length {
            let frame = unsafe Frame(buffer.prefix(length))
            if isBroken {
                if frame.salt == header.salt, frame.isCommit { lost += 1 }
            } else if unsafe frame.follows(&checksum, header, buffer.prefix(length)) {
                whole += 1
            } else {
                isBroken = true
            }
        }
        return (whole, lost)
    }

    /// Reads so many bytes, or fewer at the end of the file.
    private static func fill(
        _ buffer: IOBuffer,
        _ count: Int,
        from file: borrowing FileDescriptor
    ) throws(Errno) -> Int {
        var filled = 0
        while filled < count {
            let read = try unsafe file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[filled..<count])
            )
            if read == 0 { break }
            filled += read
        }
        return filled
    }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
        unsafe UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    private struct Header {
        let pageLength: Int
        let salt: UInt64
        let isBigEndian: Bool
        let checksum: Checksum

        /// Nil when the header is not one or not what was written.
        init?(_ bytes: UnsafeRawBufferPointer) {
            let magic = unsafe word(bytes, 0)
            guard magic & ~1 == 0x377f_0682 else { return nil }
            isBigEndian = magic & 1 == 1
            pageLength = unsafe Int(word(bytes, 8))
            guard (512...65_536).contains(pageLength) else { return nil }
            salt = unsafe UInt64(word(bytes, 16)) << 32 | UInt64(word(bytes, 20))
            var sum = Checksum()
            unsafe sum.add(UnsafeRawBufferPointer(rebasing: bytes[..<24]), isBigEndian)
            guard unsafe sum == Checksum(first: word(bytes, 24), second: word(bytes, 28)) else {
                return nil
            }
            checksum = sum
        }
    }

    private struct Frame {
        /// Whether it is the last one of a change: it has the number of pages after it.
        let isCommit: Bool
        let salt: UInt64
        private let checksum: Checksum

        init(_ bytes: UnsafeRawBufferPointer) {
            isCommit = unsafe word(bytes, 4) != 0
            salt = unsafe UInt64(word(bytes, 8)) << 32 | UInt64(word(bytes, 12))
            checksum = unsafe Checksum(first: word(bytes, 16), second: word(bytes, 20))
        }

        /// Whether it is what was written behind the frame with that checksum; makes it its own.
        func follows(
            _ running: inout Checksum,
            _ header: Header,
            _ bytes: UnsafeRawBufferPointer
        ) -> Bool {
            let big = header.isBigEndian
            unsafe running.add(UnsafeRawBufferPointer(rebasing: bytes[..<8]), big)
            unsafe running.add(
                UnsafeRawBufferPointer(rebasing: bytes[WriteAheadLog.frameHeaderLength...]),
                big
            )
            return salt == header.salt && running == checksum
        }
    }

    private struct Checksum: Equatable {
        var first: UInt32 = 0
        var second: UInt32 = 0

        /// Adds whole pairs of words, in the order of bytes the header names.
        mutating func add(_ bytes: UnsafeRawBufferPointer, _ isBigEndian: Bool) {
            for offset in stride(from: 0, to: bytes.count - 7, by: 8) {
                var one = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                var other = unsafe bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
                if isBigEndian { (one, other) = (one.byteSwapped, other.byteSwapped) }
                first = first &+ one &+ second
                second = second &+ other &+ first
            }
        }
    }
}
