internal import CSystem
internal import Glibc
package import MigrationCore

/// A directory taken for the root of a file system: no link below it and no `..` leads out of it.
///
/// For trees of small kernel files (sysfs), real or captured, whose content nobody vouches for.
package final class ConfinedTree: Sendable {
    private let root: FileDescriptor

    package init(root path: String) throws(Errno) {
        self.root = try FileDescriptor(opening: path, O_RDONLY | O_DIRECTORY)
    }

    /// Opens a directory by its path from the root.
    ///
    /// What is read in it by names alone, links not followed, is in the tree.
    package func directory(at path: String) throws(Errno) -> Directory {
        let raw = try checked(
            unsafe ferry_open_in_root(root.raw, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK)
        )
        return Directory(owning: FileDescriptor(owning: raw))
    }

    /// Writes a text to a file that is there, by one call, as the kernel takes an attribute.
    ///
    /// Nothing in the path may be a link, or `..` out of the tree: ELOOP, EXDEV. Blocks for as long
    /// as the file's owner needs. A write that was taken in part throws EIO.
    package func write(_ text: String, to path: String) throws(Errno) {
        let flags = O_WRONLY | O_NOCTTY | O_NONBLOCK
        let raw = try checked(unsafe ferry_open_beneath(root.raw, path, flags))
        let file = FileDescriptor(owning: raw)
        let bytes = Array(text.utf8)
        let count = try unsafe bytes.withUnsafeBufferPointer { buffer throws(Errno) in
            try unsafe file.write(UnsafeRawBufferPointer(buffer))
        }
        guard count == bytes.count else { throw .io }
    }

    /// The text of a file of any size, as far as a limit; `..` and links stay in the tree.
    package func text(at path: String, limit: Int) throws(Errno) -> String {
        let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY
        let raw = try checked(unsafe ferry_open_in_root(root.raw, path, flags))
        return BoundedFile.trimmed(
            try BoundedFile.bytes(of: FileDescriptor(owning: raw), limit: limit)
        )
    }
}
