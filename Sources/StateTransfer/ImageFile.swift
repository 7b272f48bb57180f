internal import Glibc
import MigrationCore
internal import SystemIO

/// Opens the files of an image, of which nothing is believed, and writes small ones.
enum ImageFile {
    /// Writes a small new file that survives the machine.
    static func write(
        _ bytes: [UInt8],
        to name: String,
        of image: ImageID,
        in directory: borrowing Directory
    ) throws(Problem) {
        var operation = "open"
        do throws(Errno) {
            let file = try directory.open(name, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
            operation = "write"
            try unsafe bytes.withUnsafeBufferPointer { bytes throws(Errno) in
                try unsafe file.writeAll(UnsafeRawBufferPointer(bytes))
            }
            operation = "fsync"
            try file.synchronize()
        } catch {
            throw ImageProblem.storage(image, operation, error)
        }
    }

    /// Opens a regular file of the image's directory for reading.
    ///
    /// Throws `image-corrupt` when there is something else in its place, or nothing.
    static func open(
        _ name: String,
        of image: ImageID,
        in directory: borrowing Directory
    ) throws(Problem) -> FileDescriptor {
        let file: FileDescriptor
        do throws(Errno) {
            // Not blocking, so that a FIFO in its place cannot hold the thread.
            file = try directory.open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY)
        } catch .noEntry {
            throw ImageProblem.corrupt(image, "\(name) is missing")
        } catch {
            switch error.number {
            case ELOOP: throw ImageProblem.corrupt(image, "\(name) is a symbolic link")
            // A socket, or a device without a driver.
            case ENXIO, ENODEV: throw ImageProblem.corrupt(image, "\(name) is not a regular file")
            default: throw ImageProblem.storage(image, "open", error)
            }
        }
        _ = try byteCount(of: file, name, of: image)
        return file
    }

    /// The size of an open file; `image-corrupt` when it is no regular one.
    static func byteCount(
        of file: borrowing FileDescriptor,
        _ name: String,
        of image: ImageID
    ) throws(Problem) -> UInt64 {
        var status = stat()
        guard unsafe fstat(file.raw, &status) == 0 else {
            throw ImageProblem.storage(image, "fstat", Errno(number: errno))
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw ImageProblem.corrupt(image, "\(name) is not a regular file")
        }
        return UInt64(clamping: status.st_size)
    }

    /// The whole of a small file; `image-corrupt` when it has more bytes than the limit.
    static func bytes(
        of name: String,
        of image: ImageID,
        in directory: borrowing Directory,
        limit: Int
    ) throws(Problem) -> [UInt8] {
        let file = try open(name, of: image, in: directory)
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try BoundedFile.bytes(of: file, limit: limit + 1)
        } catch {
            throw ImageProblem.storage(image, "read", error)
        }
        guard bytes.count <= limit else {
            throw ImageProblem.corrupt(image, "\(name) has more than \(limit) bytes")
        }
        return bytes
    }
}
