internal import CSystem
internal import Glibc
package import MigrationCore

/// An open file with exactly one owner: closed when the owner goes, or earlier by ``close()``.
///
/// Always close-on-exec.
package struct FileDescriptor: ~Copyable, Sendable {
    /// The number, borrowed: valid while this value lives.
    package let raw: Int32

    /// Takes over a descriptor that nobody else closes.
    package init(owning raw: Int32) { self.raw = raw }

    /// Opens a file, close-on-exec.
    ///
    /// `mode` counts only with `O_CREAT`.
    package init(opening path: String, _ flags: Int32, mode: UInt32 = 0) throws(Errno) {
        self.raw = try checked(unsafe ferry_open(path, flags, mode_t(mode)))
    }

    /// Opens a file below an open directory.
    package init(
        opening name: String,
        in directory: borrowing FileDescriptor,
        _ flags: Int32,
        mode: UInt32 = 0
    ) throws(Errno) {
        self.raw = try checked(unsafe ferry_openat(directory.raw, name, flags, mode_t(mode)))
    }

    deinit { _ = Glibc.close(raw) }

    /// Closes now and tells what a deferred write came to (`EIO`, `ENOSPC`).
    package consuming func close() throws(Errno) {
        let raw = self.raw
        discard self
        // Linux releases the number even when close fails, so it is never tried again.
        if Glibc.close(raw) != 0 { throw Errno(number: Glibc.errno) }
    }

    /// Gives the number away: the caller closes it.
    package consuming func release() -> Int32 {
        let raw = self.raw
        discard self
        return raw
    }

    /// A second descriptor of the same open file.
    package borrowing func duplicate() throws(Errno) -> FileDescriptor {
        FileDescriptor(owning: try checked(ferry_duplicate(raw)))
    }

    /// Reads up to the buffer's size; 0 at the end.
    ///
    /// Interrupted calls are made again.
    package borrowing func read(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        try retrying { unsafe Glibc.read(raw, buffer.baseAddress, buffer.count) }
    }

    /// Reads from a place of the file on, whatever its position; 0 at the end.
    package borrowing func read(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(Errno) -> Int {
        guard let offset = off_t(exactly: offset) else { throw .invalid }
        return try retrying { unsafe pread(raw, buffer.baseAddress, buffer.count, offset) }
    }

    /// Writes at least one byte of a buffer that is not empty; may write less than all of it.
    package borrowing func write(_ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int {
        try retrying { unsafe Glibc.write(raw, buffer.baseAddress, buffer.count) }
    }

    /// Writes the whole buffer.
    package borrowing func writeAll(_ buffer: UnsafeRawBufferPointer) throws(Errno) {
        var rest = unsafe buffer
        while unsafe !rest.isEmpty {
            let count = try unsafe write(rest)
            guard count > 0 else { throw .io }
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Makes the content and size survive the machine.
    package borrowing func synchronize() throws(Errno) {
        _ = try retrying { Int(fsync(raw)) }
    }

    /// An ioctl whose argument is a number itself; returns what the driver returned.
    package borrowing func control(_ request: UInt, value: Int) throws(Errno) -> Int32 {
        try unsafe control(request, UnsafeMutableRawPointer(bitPattern: value))
    }

    /// An ioctl with a pointer to its argument; returns what the driver returned.
    @discardableResult
    package borrowing func control(
        _ request: UInt,
        _ argument: UnsafeMutableRawPointer?
    ) throws(Errno) -> Int32 {
        while true {
            let result = unsafe ferry_ioctl(raw, request, argument)
            if result >= 0 { return result }
            if result != -EINTR { throw Errno(number: -result) }
        }
    }
}

/// Turns the `-errno` of our C shims into a thrown ``Errno``.
func checked(_ result: Int32) throws(Errno) -> Int32 {
    guard result >= 0 else { throw Errno(number: -result) }
    return result
}

/// Makes a call of the C library until it is not interrupted.
func retrying(_ call: () -> Int) throws(Errno) -> Int {
    while true {
        let result = call()
        if result >= 0 { return result }
        let error = Glibc.errno
        if error != EINTR { throw Errno(number: error) }
    }
}
