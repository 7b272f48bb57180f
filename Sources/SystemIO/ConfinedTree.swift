internal import CSystem
internal import Glibc
package import MigrationCore

/// A directory taken for the root of a file system: no link below it and no `..` leads out of it.
///
/// For trees of small kernel files (sysfs), real or captured, whose content nobody vouches for.
package final class ConfinedTree: Sendable {
    private let root: Directory
    private let shortages = ShortageCount()

    package init(root path: String) throws(Errno) {
        self.root = try Directory(opening: path, counting: shortages)
    }

    /// How often something could not be opened because descriptors or memory ran out.
    package var shortageCount: Int { shortages.value }

    /// Opens a directory by its path from the root.
    ///
    /// What is read in it by names alone, links not followed, is in the tree.
    package func directory(at path: String) throws(Errno) -> Directory {
        try root.directory(below: path)
    }

    /// The text of a small file by its path from the root, without white space at its ends.
    ///
    /// A link in its place is refused with ELOOP.
    package func text(at path: String, limit: Int = 4096) throws(Errno) -> String {
        try root.text(below: path, limit: limit)
    }

    /// The text of a file of any size, as far as a limit; `..` and links stay in the tree.
    package func wholeText(at path: String, limit: Int) throws(Errno) -> String {
        try root.wholeText(below: path, limit: limit)
    }

    /// Writes a text to a file that is there, by one call, as the kernel takes an attribute.
    ///
    /// Nothing in the path may be a link, or `..` out of the tree: ELOOP, EXDEV. Blocks for as long
    /// as the file's owner needs. A write that was taken in part throws EIO.
    package func write(_ text: String, to path: String) throws(Errno) {
        try root.write(text, below: path)
    }
}

extension FileDescriptor {
    /// Opens a file by its path from a directory that is taken for the root: no link below it and
    /// no `..` leads out of it.
    init(
        opening path: String,
        below root: borrowing FileDescriptor,
        _ flags: Int32
    ) throws(Errno) {
        self.init(owning: try checked(unsafe ferry_open_in_root(root.raw, path, flags)))
    }
}
