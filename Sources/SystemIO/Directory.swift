internal import CSystem
internal import Glibc
package import MigrationCore

/// An open directory: everything in it is reached from its descriptor, so nobody can move the
/// directory, or put a symbolic link in the way, between two calls.
///
/// Names are single path components; the caller vouches for that.
package struct Directory: ~Copyable, Sendable {
    private let descriptor: FileDescriptor
    /// Counts what fails here and in the directories opened below; not what an attribute itself
    /// answers to a read, which may be any errno, and for ever.
    private let shortages: ShortageCount

    /// Opens a directory by its path; the path itself may lead through symbolic links.
    package init(
        opening path: String,
        counting shortages: ShortageCount = ShortageCount()
    ) throws(Errno) {
        self.shortages = shortages
        descriptor = try FileDescriptor(opening: path, O_RDONLY | O_DIRECTORY)
    }

    /// Takes over an open directory.
    init(
        owning descriptor: consuming FileDescriptor,
        counting shortages: ShortageCount
    ) {
        self.shortages = shortages
        self.descriptor = descriptor
    }

    /// Opens a directory below another one.
    ///
    /// A symbolic link is refused with ENOTDIR.
    package init(opening name: String, in parent: borrowing Directory) throws(Errno) {
        shortages = parent.shortages
        descriptor = try FileDescriptor(
            opening: name,
            in: parent.descriptor,
            O_RDONLY | O_DIRECTORY | O_NOFOLLOW
        )
    }

    /// Opens a directory somewhere below this one, by its path from here.
    ///
    /// This one is taken for the root: no link and no `..` on the way leads out of it.
    package borrowing func directory(below path: String) throws(Errno) -> Directory {
        let flags = O_RDONLY | O_DIRECTORY | O_NONBLOCK
        return Directory(owning: try descriptor(below: path, flags), counting: shortages)
    }

    /// What it is, by whatever path it was opened.
    package borrowing func identity() throws(Errno) -> FileIdentity { try descriptor.identity() }

    /// Opens a file of the directory; a symbolic link is refused with ELOOP.
    package borrowing func open(
        _ name: String,
        _ flags: Int32,
        mode: UInt32 = 0
    ) throws(Errno) -> FileDescriptor {
        try shortages.of { () throws(Errno) in
            try FileDescriptor(opening: name, in: descriptor, flags | O_NOFOLLOW, mode: mode)
        }
    }

    private borrowing func descriptor(
        below path: String,
        _ flags: Int32
    ) throws(Errno) -> FileDescriptor {
        try shortages.of { () throws(Errno) in
            try FileDescriptor(opening: path, below: descriptor, flags)
        }
    }

    /// The text of a small file, without white space at its ends.
    ///
    /// It is read by one call that does not wait, as the kernel gives an attribute out.
    package borrowing func text(of name: String, limit: Int = 4096) throws(Errno) -> String {
        try open(name, Self.attributeFlags).attribute(limit)
    }

    /// The same for a file somewhere below the directory, by its path from there.
    ///
    /// No link on the way leads out of the directory, and a link at its end is refused with ELOOP.
    package borrowing func text(below path: String, limit: Int = 4096) throws(Errno) -> String {
        try descriptor(below: path, Self.attributeFlags).attribute(limit)
    }

    /// The text of a file of any size somewhere below the directory, as far as a limit.
    borrowing func wholeText(below path: String, limit: Int) throws(Errno) -> String {
        let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY
        let file = try descriptor(below: path, flags)
        return BoundedFile.trimmed(try BoundedFile.bytes(of: file, limit: limit))
    }

    /// Writes a text by one call to a file that is there, no link on the way.
    borrowing func write(_ text: String, below path: String) throws(Errno) {
        let flags = O_WRONLY | O_NOCTTY | O_NONBLOCK
        let raw = try checked(unsafe ferry_open_beneath(descriptor.raw, path, flags))
        let file = FileDescriptor(owning: raw)
        let bytes = Array(text.utf8)
        let count = try unsafe bytes.withUnsafeBufferPointer { buffer throws(Errno) in
            try unsafe file.write(UnsafeRawBufferPointer(buffer))
        }
        guard count == bytes.count else { throw .io }
    }

    private static let attributeFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY

    /// Where a symbolic link points, as it is written.
    package borrowing func linkTarget(of name: String) throws(Errno) -> String {
        let (raw, shortages) = (descriptor.raw, shortages)
        return try unsafe withUnsafeTemporaryAllocation(
            of: UInt8.self,
            capacity: Int(PATH_MAX)
        ) { buffer throws(Errno) in
            guard let start = buffer.baseAddress else { throw .noMemory }
            let count = try shortages.of { () throws(Errno) in
                try retrying { unsafe readlinkat(raw, name, start, buffer.count) }
            }
            return unsafe String(decoding: buffer[..<count], as: UTF8.self)
        }
    }

    package borrowing func makeDirectory(_ name: String, mode: UInt32) throws(Errno) {
        let raw = descriptor.raw
        _ = try retrying { unsafe Int(mkdirat(raw, name, mode_t(mode))) }
    }

    package borrowing func rename(_ old: String, to new: String) throws(Errno) {
        let raw = descriptor.raw
        _ = try retrying { unsafe Int(renameat(raw, old, raw, new)) }
    }

    /// Removes a file, or the link when it is one.
    package borrowing func remove(_ name: String) throws(Errno) {
        let raw = descriptor.raw
        _ = try retrying { unsafe Int(unlinkat(raw, name, 0)) }
    }

    /// Removes every file in the directory, whatever bytes its name is made of.
    package borrowing func removeFiles() throws(Errno) {
        let raw = descriptor.raw
        let stream = try unsafe entries()
        defer { unsafe closedir(stream) }
        while let entry = unsafe readdir(stream) {
            try unsafe withUnsafePointer(to: &entry.pointee.d_name) { name throws(Errno) in
                try unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) {
                    name throws(Errno) in
                    if unsafe strcmp(name, ".") == 0 || strcmp(name, "..") == 0 { return }
                    _ = try retrying { unsafe Int(unlinkat(raw, name, 0)) }
                }
            }
        }
    }

    /// Removes an empty directory.
    package borrowing func removeDirectory(_ name: String) throws(Errno) {
        let raw = descriptor.raw
        _ = try retrying { unsafe Int(unlinkat(raw, name, AT_REMOVEDIR)) }
    }

    /// Whether there is anything of this name, a dangling link included.
    package borrowing func contains(_ name: String) throws(Errno) -> Bool {
        var status = stat()
        if unsafe fstatat(descriptor.raw, name, &status, AT_SYMLINK_NOFOLLOW) == 0 { return true }
        let error = Errno(number: Glibc.errno)
        if error == .noEntry { return false }
        throw error
    }

    /// The names in the directory, without `.` and `..`, sorted; at most `limit` of them, those that
    /// the kernel gives first.
    package borrowing func names(limit: Int = 100_000) throws(Errno) -> [String] {
        // A descriptor of its own: reading moves the position of the open file.
        try shortages.of { () throws(Errno) in
            try FileDescriptor(opening: ".", in: descriptor, O_RDONLY | O_DIRECTORY)
                .names(limit: limit)
        }
    }

    /// The same, for who wants nothing else of the directory.
    package consuming func intoNames(limit: Int = 100_000) throws(Errno) -> [String] {
        try shortages.of { () throws(Errno) in try descriptor.names(limit: limit) }
    }

    /// The entries of the directory, for the caller to close.
    private borrowing func entries() throws(Errno) -> OpaquePointer {
        // A descriptor of its own: readdir moves the position of the open file.
        let raw = try FileDescriptor(opening: ".", in: descriptor, O_RDONLY | O_DIRECTORY).release()
        guard let stream = unsafe fdopendir(raw) else {
            let error = Errno(number: Glibc.errno)
            _ = Glibc.close(raw)
            throw error
        }
        return unsafe stream
    }

    /// Bytes that may still be written on the directory's file system, root's reserve left out.
    package borrowing func availableByteCount() throws(Errno) -> UInt64 {
        var status = statvfs()
        let raw = descriptor.raw
        _ = try retrying { unsafe Int(fstatvfs(raw, &status)) }
        let (bytes, isOverflow) = UInt64(status.f_bavail)
            .multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return isOverflow ? .max : bytes
    }

    /// Makes the names in the directory survive the machine.
    package borrowing func synchronize() throws(Errno) { try descriptor.synchronize() }
}

extension FileDescriptor {
    /// What one read from the start gives, as text without white space at its ends.
    ///
    /// Whatever the file is: a pipe that nobody writes into reads as nothing, a directory fails.
    fileprivate borrowing func attribute(_ limit: Int) throws(Errno) -> String {
        try unsafe withUnsafeTemporaryAllocation(
            byteCount: limit,
            alignment: 1
        ) { buffer throws(Errno) in
            let count = try unsafe read(into: buffer)
            return unsafe BoundedFile.trimmed(buffer[..<count])
        }
    }
}
