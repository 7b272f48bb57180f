internal import CSystem
internal import Glibc
package import MigrationCore

/// The service manager that started this process, reached by its notification socket.
///
/// Source: sd_notify(3), sd_listen_fds(3), `FileDescriptorStoreMax=` of systemd.service(5). It holds
/// open files by name, over the death of this process too, and gives them back to the next one.
package final class NotifySocket: Sendable {
    private let socket: FileDescriptor

    /// Connects to the socket that `NOTIFY_SOCKET` names; nil when there is none.
    package init?(socket path: String?) throws(Errno) {
        guard let path, path.hasPrefix("/") || path.hasPrefix("@") else { return nil }
        self.socket = FileDescriptor(owning: try checked(unsafe ferry_connect_datagrams(path)))
    }

    /// Tells the manager that the service serves.
    package func ready() throws(Errno) { try send("READY=1\n") }

    /// Tells the manager that the service ends.
    package func stopping() throws(Errno) { try send("STOPPING=1\n") }

    /// Gives the manager a duplicate of an open file to hold, whatever is going on on it.
    ///
    /// Without `FDPOLL=0` it would let go of a file that reports an error or a hang-up, as a device's
    /// does when it is being unplugged: that is no reason to lose what it holds.
    package func hold(_ file: SharedDescriptor, as name: String) throws(Errno) {
        try send("FDSTORE=1\nFDPOLL=0\nFDNAME=\(name)\n", [file.descriptor.raw])
    }

    /// Makes the manager let go of what it holds by a name.
    package func letGo(_ name: String) throws(Errno) {
        try send("FDSTOREREMOVE=1\nFDNAME=\(name)\n")
    }

    /// Returns when the manager has worked on everything sent before (`BARRIER=1`).
    ///
    /// Throws ETIMEDOUT when it does not in time.
    package func synchronize(milliseconds: Int32) throws(Errno) {
        var ends: [Int32] = [-1, -1]
        let result = unsafe ends.withUnsafeMutableBufferPointer { ends in
            unsafe ferry_pipe(ends.baseAddress)
        }
        _ = try checked(result)
        let reading = FileDescriptor(owning: ends[0])
        let writing = FileDescriptor(owning: ends[1])
        try send("BARRIER=1\n", [writing.raw])
        // The manager's is the last one then.
        try writing.close()
        var request = pollfd(fd: reading.raw, events: Int16(POLLIN), revents: 0)
        let count = try retrying { unsafe Int(poll(&request, 1, milliseconds)) }
        guard count > 0 else { throw .timedOut }
    }

    private func send(_ text: String, _ descriptors: [Int32] = []) throws(Errno) {
        let bytes = Array(text.utf8)
        try unsafe bytes.withUnsafeBufferPointer { bytes throws(Errno) in
            try unsafe socket.sendPacket(UnsafeRawBufferPointer(bytes), descriptors: descriptors)
        }
    }

    // MARK: What it held

    /// Most files taken over; what is beyond stays open and unknown.
    private static let inheritedLimit = 4096

    /// The files a manager held for the process before this one, with their names: once, at start.
    ///
    /// They are close-on-exec from then on, and the variables that told of them are gone.
    package static func inheritedFiles() -> [(name: String, file: SharedDescriptor)] {
        defer {
            for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] {
                _ = unsafe unsetenv(name)
            }
        }
        guard environment("LISTEN_PID") == "\(getpid())",
            let count = environment("LISTEN_FDS").flatMap({ Int32($0) }), count > 0
        else { return [] }
        let names = (environment("LISTEN_FDNAMES") ?? "").split(
            separator: ":",
            omittingEmptySubsequences: false
        )
        return (0..<min(count, Int32(inheritedLimit))).compactMap { place in
            // SD_LISTEN_FDS_START: behind the standard streams.
            let raw = place + 3
            guard ferry_close_on_exec(raw) == 0 else { return nil }
            let name = names.indices.contains(Int(place)) ? String(names[Int(place)]) : ""
            return (name, SharedDescriptor(FileDescriptor(owning: raw)))
        }
    }

    /// A variable of the environment.
    package static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}
