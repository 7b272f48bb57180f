import Glibc
import MigrationCore
import SystemIO

/// A directory of a test's own, removed with everything in it.
final class TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/ferry-test-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Errno(number: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        for name in (try? BoundedFile.names(in: path)) ?? [] {
            let child = "\(path)/\(name)"
            if unsafe unlink(child) != 0 { remove(child) }
        }
        unsafe rmdir(path)
    }

    func write(_ bytes: [UInt8], to name: String, at offset: Int = 0) throws {
        let file = try FileDescriptor(opening: "\(path)/\(name)", O_WRONLY | O_CREAT, mode: 0o600)
        lseek(file.raw, off_t(offset), SEEK_SET)
        try unsafe bytes.withUnsafeBytes { try unsafe file.writeAll($0) }
    }

    func bytes(of name: String) throws -> [UInt8] {
        try BoundedFile.bytes(at: "\(path)/\(name)", limit: 1 << 26)
    }

    func names(in name: String = ".") throws -> [String] {
        try BoundedFile.names(in: "\(path)/\(name)")
    }

    /// The permission bits of a file or directory.
    func mode(of name: String) -> UInt32 {
        var status = stat()
        unsafe lstat("\(path)/\(name)", &status)
        return status.st_mode & 0o7777
    }
}
