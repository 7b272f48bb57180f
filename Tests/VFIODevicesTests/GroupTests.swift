import Dispatch
import Glibc
import MigrationCore
import MigrationPorts
import SystemIO
import Testing

@testable import VFIODevices

/// Groups and containers, on files that answer ENOTTY to every ioctl.
@Suite("Groups")
struct GroupTests {
    private let tree: NodeTree

    init() throws { tree = try NodeTree() }

    @Test("devices of one group share its file, and the last session closes it")
    func sharing() throws {
        let group = tree.group()
        #expect(!group.isOpen)
        var first: GroupMembership? = try tree.join(group, "a")
        let file = ObjectIdentifier(try group.files().group.file)
        var second: GroupMembership? = try group.join("b", .alone) {
            () throws(SessionRefusal) in
            Issue.record("the group was opened again")
            throw .notViable
        }
        #expect(try second.map { ObjectIdentifier(try $0.group.files().group.file) } == file)
        #expect(try first != nil && tree.isOpen("group"))
        first = nil
        #expect(group.isOpen)
        second = nil
        #expect(!group.isOpen)
        #expect(try !tree.isOpen("group"))
        #expect(try !tree.isOpen("container"))
        #expect(throws: Errno.noDevice) { try group.files() }
    }

    @Test("a group that could not be opened is not open, and nobody has a part in it")
    func failedOpening() throws {
        let group = tree.group()
        #expect(throws: SessionRefusal.notViable) {
            try group.join("a", .alone) { () throws(SessionRefusal) in throw .notViable }
        }
        #expect(!group.isOpen)
        let membership = try tree.join(group, "a")
        #expect(membership.group.isOpen)
    }

    @Test("a device is opened once, and handed in as often as its owner likes")
    func once() throws {
        let group = tree.group()
        let first = try tree.join(group, "a")
        #expect(throws: SessionRefusal.heldByOurselves) { try tree.join(group, "a") }
        var again: GroupMembership? = try tree.join(group, "a", .withOthers)
        #expect(again != nil)
        again = nil
        #expect(throws: SessionRefusal.heldByOurselves) { try tree.join(group, "a") }
        #expect(first.group.isOpen)
    }

    @Test("a group joins only the container it is in")
    func containers() throws {
        let group = tree.group()
        let first = try tree.join(group, "a")
        let container = try group.files().container
        let second = try tree.join(group, "b", joining: container)
        #expect(second.group === first.group)
        let other = ContainerFile(try tree.open("container"))
        #expect(throws: SessionRefusal.otherContainer) {
            try tree.join(group, "c", joining: other)
        }
    }

    @Test("a group leaves its container when its last device is closed, and not before")
    func departure() throws {
        let group = tree.group()
        let first = try tree.join(group, "a")
        let second = try tree.join(group, "b")
        // Waits for the other device: no call is made.
        try first.leaveContainer()
        #expect(throws: Errno.busy) { try first.reopenDevice() }
        #expect(throws: SessionRefusal.heldByOurselves) { try tree.join(group, "c") }
        // Makes the call, which these files do not know.
        #expect(throws: Errno.notTypewriter) { try second.leaveContainer() }
        #expect(throws: Errno.notTypewriter) { try first.reopenDevice() }
    }

    @Test("a device that closes for good holds up nobody on the way out")
    func givenUp() throws {
        let group = tree.group()
        let first = try tree.join(group, "a")
        var second: GroupMembership? = try tree.join(group, "b")
        try first.leaveContainer()
        #expect(throws: Errno.busy) { try first.reopenDevice() }
        #expect(second != nil)
        second = nil
        #expect(throws: Errno.notTypewriter) { try first.reopenDevice() }
    }

    @Test("a group whose leaving devices have all gone takes new ones")
    func afterDeparture() throws {
        let group = tree.group()
        let stays = try tree.join(group, "a")
        var leaves: GroupMembership? = try tree.join(group, "b")
        try leaves?.leaveContainer()
        leaves = nil
        #expect(try tree.join(group, "b").group === stays.group)
    }

    @Test("groups are found by their numbers")
    func table() {
        let groups = OpenGroups(containerPath: "/dev/null")
        #expect(groups.group("7") === groups.group("7"))
        #expect(groups.group("7") !== groups.group("8"))
        #expect(!groups.group("7").isOpen)
    }

    @Test("what is no container and no group says which call told so")
    func noContainer() throws {
        #expect(
            throws: SessionRefusal.fault(KernelFault(operation: .apiVersion, errno: .notTypewriter))
        ) { try ContainerFile(opening: "/dev/null") }
        #expect(
            throws: SessionRefusal.fault(KernelFault(operation: .openContainer, errno: .noEntry))
        ) { try ContainerFile(opening: tree.path("none")) }
        let path = tree.path("group")
        #expect(
            throws: SessionRefusal.fault(
                KernelFault(operation: .groupStatus, errno: .notTypewriter)
            )
        ) { try GroupFiles(opening: path, containerPath: "/dev/null", joining: nil) }
        #expect(
            throws: SessionRefusal.fault(KernelFault(operation: .openGroup, errno: .noEntry))
        ) { try GroupFiles(opening: path + "s", containerPath: "/dev/null", joining: nil) }
        let membership = try tree.join(tree.group(), "a")
        #expect(
            throws: SessionRefusal.fault(KernelFault(operation: .deviceFile, errno: .notTypewriter))
        ) { try KernelSession.files(of: membership) }
    }
}

/// Files that stand for the nodes of a group, a container and a device.
struct NodeTree {
    private let tree: SysfsTree

    init() throws {
        tree = try SysfsTree()
        for name in ["group", "container", "device"] { try tree.file(name, "") }
    }

    func path(_ name: String) -> String { tree.path(name) }

    func open(_ name: String) throws -> FileDescriptor {
        try FileDescriptor(opening: tree.path(name), O_RDWR)
    }

    func group() -> SharedGroup { SharedGroup(containerPath: tree.path("container")) }

    /// Takes part in a group, which is opened by the tree's files.
    func join(
        _ group: SharedGroup,
        _ device: String,
        _ sharing: SharedGroup.Sharing = .alone,
        joining companion: ContainerFile? = nil
    ) throws -> GroupMembership {
        let files = GroupFiles(
            group: GroupFile(try open("group")),
            container: ContainerFile(try open("container"))
        )
        return try group.join(device, sharing, joining: companion) {
            () throws(SessionRefusal) in files
        }
    }

    /// Whether this process has one of the files open.
    func isOpen(_ name: String) throws -> Bool {
        let identity = try FileIdentity(ofPath: tree.path(name))
        return try BoundedFile.names(in: "/proc/self/fd").contains {
            (try? FileIdentity(ofPath: "/proc/self/fd/\($0)")) == identity
        }
    }
}
