import Foundation
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
                Problem.Holder(pid: other.process.processIdentifier, command: "cat", uid: getuid())
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
        #expect(HolderScan(nodes: [tree.path("dev/vfio/devices/vfio7")]).holders().isEmpty)
        try other.end()
        #expect(HolderScan(nodes: [tree.path("dev/vfio/devices/vfio7")]).isHeldByOurselves())
        try tree.file("third/vfio/devices/vfio7", "")
        #expect(!HolderScan(nodes: [tree.path("third/vfio/devices/vfio7")]).isHeldByOurselves())
        #expect(own.raw >= 0)
    }

    @Test("a node that does not exist has no holders")
    func noNode() {
        #expect(HolderScan(nodes: ["/nonexistent/vfio/devices/vfio7"]).holders().isEmpty)
        #expect(HolderScan(nodes: []).holders().isEmpty)
    }
}

/// A process of our own that has a file open as its standard error until it is ended.
private final class Holder {
    let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    init(of path: String) throws {
        process.executableURL = URL(fileURLWithPath: "/bin/cat")
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle(
            fileDescriptor: try FileDescriptor(opening: path, O_RDWR).release(),
            closeOnDealloc: true
        )
        try process.run()
        // What cat echoes proves that it runs, and so has the file.
        try input.fileHandleForWriting.write(contentsOf: Data([1]))
        _ = try output.fileHandleForReading.read(upToCount: 1)
    }

    func end() throws {
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}
