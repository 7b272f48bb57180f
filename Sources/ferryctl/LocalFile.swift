internal import APIClient
internal import Glibc
internal import MigrationCore
internal import SystemIO

/// A file of which so many bytes are done.
protocol Positioned: AnyObject {
    var offset: Int64 { get }
}

/// A file that is uploaded, read from an offset on.
final class UploadFile: BodySource, Positioned {
    let path: String
    let byteCount: Int64
    private let file: FileDescriptor
    private let watch: (Int64) -> Void
    private(set) var offset: Int64 = 0

    /// Opens a regular file; `watch` hears how far it is read.
    init(path: String, watch: @escaping (Int64) -> Void) throws(ClientProblem) {
        self.path = path
        self.watch = watch
        do throws(Errno) {
            let file = try FileDescriptor(opening: path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
            let status = try stat(of: file)
            guard status.isRegularFile else { throw .invalid }
            self.file = file
            self.byteCount = Int64(status.st_size)
        } catch {
            throw .file(path: path, detail: "cannot be read: \(error.name).")
        }
        guard byteCount > 0 else { throw .file(path: path, detail: "is empty.") }
    }

    /// Goes to an offset, from which the next bytes are read.
    func seek(to offset: Int64) throws(ClientProblem) {
        guard offset < byteCount, lseek(file.raw, off_t(offset), SEEK_SET) == off_t(offset) else {
            throw .file(path: path, detail: "is shorter than what the server has of it.")
        }
        self.offset = offset
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ClientProblem) -> Int {
        do throws(Errno) {
            let count = try unsafe file.read(into: buffer)
            offset += Int64(count)
            watch(offset)
            return count
        } catch {
            throw .file(path: path, detail: "cannot be read: \(error.name).")
        }
    }
}

/// Where a download goes: a file that has its name only when it is whole, or stdout.
final class DownloadFile: ContentSink, Positioned {
    /// What the person who asked calls it.
    let path: String
    private let partPath: String?
    private let byteCount: Int64
    private let file: FileDescriptor
    private let watch: (Int64) -> Void
    /// How much of the content is there.
    private(set) var offset: Int64 = 0

    /// Opens the part of a file that an earlier download of the same content left, or a new one.
    ///
    /// `tag` names the content, which has so many bytes; `-` is stdout.
    init(
        path: String,
        tag: String?,
        byteCount: Int64,
        watch: @escaping (Int64) -> Void
    ) throws(ClientProblem) {
        self.path = path
        self.byteCount = byteCount
        self.watch = watch
        do throws(Errno) {
            guard path != "-" else {
                partPath = nil
                file = FileDescriptor(owning: STDOUT_FILENO)
                return
            }
            let part = "\(path).\(Self.word(tag)).part"
            partPath = part
            let file = try FileDescriptor(
                opening: part,
                O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
                mode: 0o600
            )
            let status = try stat(of: file)
            guard status.isRegularFile else { throw .invalid }
            // What cannot be told to be of this content is written anew.
            let size = Int64(status.st_size)
            offset = tag == nil || size > byteCount ? 0 : size
            self.file = file
        } catch {
            throw .file(path: path, detail: "cannot be written: \(error.name).")
        }
    }

    func begin(at offset: Int64) throws(ClientProblem) {
        guard let partPath else {
            guard offset == self.offset else {
                throw .file(path: path, detail: "has the start of another content already.")
            }
            return
        }
        guard ftruncate(file.raw, off_t(offset)) == 0,
            lseek(file.raw, off_t(offset), SEEK_SET) == off_t(offset)
        else { throw failure(Errno(number: Glibc.errno), of: partPath) }
        self.offset = offset
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(ClientProblem) {
        guard bytes.count <= byteCount - offset else {
            throw .notUnderstood(
                status: 200,
                detail: "The content has more than the \(byteCount) bytes it was said to have."
            )
        }
        do throws(Errno) {
            try unsafe file.writeAll(bytes)
        } catch {
            throw failure(error, of: partPath ?? "stdout")
        }
        offset += Int64(bytes.count)
        watch(offset)
    }

    /// Gives the file its name, once all of it is on the disk.
    func finish() throws(ClientProblem) {
        guard let partPath else { return }
        do throws(Errno) {
            try file.synchronize()
            guard unsafe rename(partPath, path) == 0 else { throw Errno(number: Glibc.errno) }
        } catch {
            throw failure(error, of: path)
        }
    }

    private func failure(_ error: Errno, of path: String) -> ClientProblem {
        .file(path: path, detail: "cannot be written: \(error.name).")
    }

    /// A tag as part of a file's name.
    private static func word(_ tag: String?) -> String {
        let word = (tag ?? "").unicodeScalars.filter { scalar in
            scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
        }
        return String(String.UnicodeScalarView(word.prefix(64)))
    }
}

extension stat {
    /// What an open file is.
    init(of file: borrowing FileDescriptor) throws(Errno) {
        self.init()
        guard unsafe fstat(file.raw, &self) == 0 else { throw Errno(number: Glibc.errno) }
    }

    var isRegularFile: Bool { st_mode & S_IFMT == S_IFREG }
}
