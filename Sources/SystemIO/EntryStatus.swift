internal import Glibc
package import MigrationCore

/// What a name in a directory stands for; a link at the name itself is not followed.
package struct EntryStatus: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case socket
        case other
    }

    package let kind: Kind
    /// The twelve bits that chmod sets.
    package let permissions: UInt32
    package let owner: UInt32
    package let group: UInt32

    /// Looks at a name, and opens nothing.
    package init(ofPath path: String) throws(Errno) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { throw Errno(number: Glibc.errno) }
        kind = status.st_mode & S_IFMT == S_IFSOCK ? .socket : .other
        permissions = status.st_mode & 0o7777
        owner = status.st_uid
        group = status.st_gid
    }
}
