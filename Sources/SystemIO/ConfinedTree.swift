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
}
