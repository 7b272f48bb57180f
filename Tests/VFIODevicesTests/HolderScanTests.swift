import Glibc
import MigrationCore
import SystemIO
import Testing

@testable import VFIODevices

@Suite("Who holds a device")
struct HolderScanTests {
    @Test("a process that has the node open is found, with its name and user")
    func found() throws {
        let tree = try SysfsTree()
        try tree.file("dev/vfio/devices/vfio7", "")
        let node = tree.path("dev/vfio/devices/vfio7")
        let other = try Holder(of: node)
        let holders = HolderScan(nodes: [node, tree.path("dev/vfio/9")]).holders()
        #expect(
            holders == [
                Problem.Holder(pid: other.process, command: "cat", uid: getuid())
            ]
        )
        try other.end()
        #expect(HolderScan(nodes: [node]).holders().isEmpty)
    }

    @Test("this process itself is no holder, and a file of the same name elsewhere is not the node")
    func notFound() throws {
        let tree = try SysfsTree()
        try tree.file("dev/vfio/devices/vfio7", "")
        try tree.file("other/vfio/devices/vfio7", "")
        let own = try FileDescriptor(opening: tree.path("dev/vfio/devices/vfio7"), O_RDWR)
        let other = try Holder(of: tree.path("other/vfio/devices/vfio7"))
        // Others may be listed: processes that other tests begin have a copy of every descriptor of
        // ours until they run their own program.
        let holders = HolderScan(nodes: [tree.path("dev/vfio/devices/vfio7")]).holders()
        #expect(!holders.contains { [getpid(), other.process].contains($0.pid) })
        try other.end()
        #expect(HolderScan(nodes: [tree.path("dev/vfio/devices/vfio7")]).isHeldByOurselves())
        try tree.file("third/vfio/devices/vfio7", "")
        #expect(!HolderScan(nodes: [tree.path("third/vfio/devices/vfio7")]).isHeldByOurselves())
        #expect(own.raw >= 0)
    }

    @Test("only the system's first process and our own parent keep descriptors for others")
    func descriptorStore() {
        #expect(HolderScan.isDescriptorStore(1))
        #expect(HolderScan.isDescriptorStore(getppid()))
        #expect(!HolderScan.isDescriptorStore(getpid()))
    }

    @Test("a node that does not exist has no holders")
    func noNode() {
        #expect(HolderScan(nodes: ["/nonexistent/vfio/devices/vfio7"]).holders().isEmpty)
        #expect(HolderScan(nodes: []).holders().isEmpty)
    }
}

/// A process of our own that has a file open as its standard error until it is ended.
///
/// By `posix_spawn`: Foundation's `Process` reads past an entry of `/proc/self/fd`, which ends a
/// run under the address sanitizer.
private final class Holder {
    let process: pid_t
    private let line: FileDescriptor

    init(of path: String) throws {
        let file = try FileDescriptor(opening: path, O_RDWR)
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw Errno(number: errno) }
        self.line = FileDescriptor(owning: ends[0])
        let theirs = FileDescriptor(owning: ends[1])
        self.process = try Self.cat([theirs.raw, theirs.raw, file.raw])
        // What cat echoes proves that it runs, and so has the file.
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(line.raw, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        var byte: UInt8 = 1
        #expect(unsafe write(line.raw, &byte, 1) == 1)
        #expect(unsafe read(line.raw, &byte, 1) == 1)
    }

    /// Ends its input, and with that the process, and waits for it.
    func end() throws {
        #expect(shutdown(line.raw, Int32(SHUT_WR)) == 0)
        var status: Int32 = 0
        #expect(unsafe waitpid(process, &status, 0) == process)
    }

    /// Starts it with these as its standard input, output and error.
    private static func cat(_ standard: [Int32]) throws -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for (number, descriptor) in standard.enumerated() {
            unsafe posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
        }
        var process: pid_t = 0
        let name = unsafe strdup("cat")
        defer { unsafe free(name) }
        var arguments = unsafe [name, nil]
        let error = unsafe posix_spawn(&process, "/bin/cat", &actions, nil, &arguments, environ)
        guard error == 0 else { throw Errno(number: error) }
        return process
    }
}
