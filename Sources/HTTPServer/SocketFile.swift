internal import Glibc

/// The file of a UNIX socket, from its making to its removal.
///
/// Mode 0660 from its first moment; removed only while it is still the file that was made.
struct SocketFile: Sendable {
    private let path: String
    private let device: UInt
    private let inode: UInt

    /// Binds a socket to a path.
    ///
    /// A socket that is there already is replaced when nobody answers on it; any other file is left
    /// alone and is a failure.
    init(binding raw: Int32, to path: String) throws(ListenFailure) {
        let address = ListenAddress.unix(path: path)
        try Self.removeStale(at: path)
        // Before bind, which takes the file's mode from here: chmod alone would leave a moment.
        guard fchmod(raw, 0o660) == 0 else { throw ListenFailure(address, "fchmod") }
        guard unsafe Self.withAddress(path, { unsafe Glibc.bind(raw, $0, $1) }) == 0 else {
            throw ListenFailure(address, "bind")
        }
        guard let status = Self.status(of: path) else { throw ListenFailure(address, "lstat") }
        self.path = path
        self.device = UInt(status.st_dev)
        self.inode = UInt(status.st_ino)
        // The umask may have taken the group's right away.
        guard unsafe chmod(path, 0o660) == 0 else {
            remove()
            throw ListenFailure(address, "chmod")
        }
    }

    /// Removes the file, if nobody put another one in its place.
    func remove() {
        guard let status = Self.status(of: path), UInt(status.st_dev) == device,
            UInt(status.st_ino) == inode
        else { return }
        unsafe unlink(path)
    }

    private static func removeStale(at path: String) throws(ListenFailure) {
        guard let status = status(of: path) else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ListenFailure("unix:\(path): there is a file that is not a socket")
        }
        let probe = ListeningSocket.streamSocket(AF_UNIX)
        guard probe >= 0 else { throw ListenFailure(.unix(path: path), "socket") }
        defer { Glibc.close(probe) }
        // It does not block: a full backlog is EAGAIN, and then somebody is there.
        let answers = unsafe withAddress(path) { unsafe connect(probe, $0, $1) } == 0
        guard !answers, errno == ECONNREFUSED else {
            throw ListenFailure("unix:\(path): another process serves this socket")
        }
        unsafe unlink(path)
    }

    private static func status(of path: String) -> stat? {
        var status = stat()
        return unsafe lstat(path, &status) == 0 ? status : nil
    }

    /// Calls with the path as a socket address.
    ///
    /// The path fits: ``ListenAddress`` checked.
    private static func withAddress(
        _ path: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) {
            unsafe $0.copyBytes(from: path.utf8)
        }
        return unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                unsafe body(name, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
