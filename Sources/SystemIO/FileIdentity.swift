internal import CSystem
internal import Glibc
package import MigrationCore

/// The number of a device node: `244:0`.
package struct DeviceNumber: Hashable, Sendable {
    package let major: UInt32
    package let minor: UInt32

    package init(major: UInt32, minor: UInt32) {
        self.major = major
        self.minor = minor
    }

    /// The text of a `dev` attribute in sysfs; nil when it is none.
    package init?(sysfsText: String) {
        let parts = sysfsText.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let major = UInt32(parts[0]), let minor = UInt32(parts[1]) else {
            return nil
        }
        self.init(major: major, minor: minor)
    }
}

/// What an open file is, whatever path or process it was opened by.
package enum FileIdentity: Hashable, Sendable {
    /// A character device: the same number is the same device through every node.
    case characterDevice(DeviceNumber)
    case regularFile(fileSystem: UInt64, inode: UInt64)
    case other(fileSystem: UInt64, inode: UInt64)

    /// What a path leads to, links followed.
    ///
    /// Opens nothing.
    package init(ofPath path: String) throws(Errno) {
        var raw = ferry_file_identity()
        _ = try checked(unsafe ferry_identity_of_path(path, &raw))
        self.init(raw)
    }

    init(_ raw: ferry_file_identity) {
        switch mode_t(raw.type) {
        case S_IFCHR:
            self = .characterDevice(DeviceNumber(major: raw.major, minor: raw.minor))
        case S_IFREG:
            self = .regularFile(fileSystem: raw.device, inode: raw.inode)
        default:
            self = .other(fileSystem: raw.device, inode: raw.inode)
        }
    }
}

extension FileDescriptor {
    /// What the open file is.
    package borrowing func identity() throws(Errno) -> FileIdentity {
        var identity = ferry_file_identity()
        _ = try checked(unsafe ferry_identity(raw, &identity))
        return FileIdentity(identity)
    }
}
