internal import Glibc
package import MigrationCore

/// Small files read whole, never more than a limit of them: sysfs, /proc, configuration.
package enum BoundedFile {
    /// The first `limit` bytes of a file.
    package static func bytes(at path: String, limit: Int = 65_536) throws(Errno) -> [UInt8] {
        let file = try FileDescriptor(opening: path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
        return try bytes(of: file, limit: limit)
    }

    /// The first `limit` bytes from an open file's position on.
    package static func bytes(
        of file: borrowing FileDescriptor,
        limit: Int
    ) throws(Errno) -> [UInt8] {
        var bytes: [UInt8] = []
        let chunk = IOBuffer(byteCount: min(limit, 16_384))
        while bytes.count < limit {
            let wanted = unsafe min(chunk.bytes.count, limit - bytes.count)
            let count = try unsafe file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: chunk.bytes[..<wanted])
            )
            if count == 0 { break }
            unsafe bytes.append(contentsOf: chunk.prefix(count))
        }
        return bytes
    }

    /// The text of a file without white space at its ends; bytes that are not UTF-8 are repaired.
    package static func text(at path: String, limit: Int = 65_536) throws(Errno) -> String {
        trimmed(try bytes(at: path, limit: limit))
    }

    /// Bytes as text, without white space and zeros at the ends.
    static func trimmed(_ bytes: some RandomAccessCollection<UInt8>) -> String {
        let isSpace = { (byte: UInt8) in byte == 0x20 || (9...13).contains(byte) || byte == 0 }
        let text = bytes.drop(while: isSpace)
        let end = text.lastIndex { !isSpace($0) }.map(text.index(after:)) ?? text.startIndex
        return String(decoding: text[..<end], as: UTF8.self)
    }

    /// Where a symbolic link points, as it is written.
    package static func linkTarget(at path: String) throws(Errno) -> String {
        let buffer = IOBuffer(byteCount: Int(PATH_MAX))
        let text = unsafe buffer.bytes.assumingMemoryBound(to: CChar.self)
        guard let start = text.baseAddress else { throw .noMemory }
        let count = try retrying { unsafe readlink(path, start, text.count) }
        return unsafe String(decoding: buffer.prefix(count), as: UTF8.self)
    }

    /// The names in a directory, without `.` and `..`, sorted; at most `limit` of them, those that the
    /// kernel gives first.
    package static func names(in path: String, limit: Int = 100_000) throws(Errno) -> [String] {
        try FileDescriptor(opening: path, O_RDONLY | O_DIRECTORY).names(limit: limit)
    }
}
