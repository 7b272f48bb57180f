import Dispatch
import Glibc
import MigrationCore
import MigrationPorts
import SystemIO
import Testing

@testable import VFIODevices

/// Sessions of devices that were opened by their group, and what is handed in and out of them.
@Suite("Sessions by group")
struct GroupSessionTests {
    private static let null = DeviceNumber(major: 1, minor: 3)
    private static let zero = DeviceNumber(major: 1, minor: 5)

    private let tree: NodeTree

    init() throws { tree = try NodeTree() }

    /// A session whose files answer ENOTTY to every ioctl.
    private func session(_ space: AddressSpace) throws -> KernelSession {
        let device = DeviceFile(try tree.open("device"))
        return KernelSession(
            try id("mdev-1"),
            KernelSession.Files(device: device, space: space),
            support: .none,
            signals: DeviceSignals(
                of: device,
                DeviceInfo(flags: 0, interruptCount: 0),
                on: DispatchQueue(label: "signals")
            )
        )
    }

    private func groupSession(_ group: SharedGroup, _ name: String = "1") throws -> KernelSession {
        try session(.group(try tree.join(group, name)))
    }

    private func cdevSession(_ pageTableID: UInt32?) throws -> KernelSession {
        try session(
            .iommufd(
                IOMMUFile(try FileDescriptor(opening: "/dev/zero", O_RDWR)),
                pageTableID: pageTableID
            )
        )
    }

    @Test("a session gives its group and its container away, and never the device file")
    func duplicates() throws {
        let session = try groupSession(tree.group())
        guard let descriptors = try session.duplicateDescriptors() else {
            Issue.record("no descriptors")
            return
        }
        #expect(descriptors.path == .group)
        let group = try FileIdentity(ofPath: tree.path("group"))
        let container = try FileIdentity(ofPath: tree.path("container"))
        #expect(try descriptors.first.identity() == group)
        #expect(try descriptors.second.identity() == container)
    }

    @Test("kept files of either kind say by their names what they are")
    func keptNames() throws {
        #expect(
            try groupSession(tree.group()).keptFiles().map(\.name) == [
                "device", "group", "container",
            ]
        )
        #expect(try cdevSession(3).keptFiles().map(\.name) == ["device", "iommufd-3"])
        #expect(try cdevSession(nil).keptFiles().map(\.name) == ["device", "iommufd"])
    }

    @Test("descriptors are made again of kept files, in any order")
    func keptFiles() throws {
        let byGroup = try groupSession(tree.group())
        #expect(try path(of: byGroup.keptFiles().reversed()) == .group)
        let byCdev = try cdevSession(3)
        #expect(try path(of: byCdev.keptFiles().reversed()) == .cdev(pageTableID: 3))
        #expect(try path(of: cdevSession(nil).keptFiles()) == .cdev(pageTableID: nil))
    }

    @Test("files that are not those of one session make none")
    func strangeFiles() throws {
        let session = try groupSession(tree.group())
        let kept = try session.keptFiles()
        let file = kept[0].file
        func named(_ names: String...) -> [KeptFile] {
            names.map { KeptFile(name: $0, file: file) }
        }
        let strange = [
            [], Array(kept[..<2]), Array(kept[1...]), kept + named("other"), kept + [kept[1]],
            named("device"), named("device", "device"), named("device", "group"),
            named("device", "iommufd-"), named("device", "iommufd-x"), named("device", "iommufd3"),
            named("device", "iommufd--3"), named("device", "iommufd-3", "group"),
            named("device", "group", "iommufd"),
        ]
        for files in strange {
            #expect(try path(of: files) == nil, "\(files.map(\.name))")
        }
        #expect(!KernelSession.haveDevice(kept))
        #expect(!KernelSession.haveDevice([]))
    }

    private func path(of files: [KeptFile]) throws -> DeviceDescriptors.Path? {
        switch try KernelSession.descriptors(of: files) {
        case .some(let descriptors): descriptors.path
        case nil: nil
        }
    }

    @Test("detaching closes the device, which answers ENODEV, and no RESET runs it where it was")
    func detach() throws {
        let session = try groupSession(tree.group())
        // The files do not know the call that takes a group out of its container.
        #expect(throws: Errno.notTypewriter) { try session.detach() }
        #expect(try !tree.isOpen("device"))
        #expect(try tree.isOpen("group"))
        #expect(throws: Errno.noDevice) { try session.state() }
        #expect(throws: Errno.noDevice) { try session.keptFiles() }
        #expect(throws: Errno.notTypewriter) { try session.reset() }
        try session.detach()
        session.close()
        #expect(try !tree.isOpen("group"))
        #expect(throws: Errno.noDevice) { try session.reset() }
        #expect(throws: Errno.noDevice) { try session.detach() }
    }

    @Test("while a session of the same group stays, a detached device is not reset")
    func sibling() throws {
        let group = tree.group()
        let session = try groupSession(group)
        let sibling = try groupSession(group, "2")
        try session.detach()
        #expect(throws: Errno.busy) { try session.reset() }
        #expect(throws: Errno.notTypewriter) { try sibling.state() }
        session.close()
        #expect(throws: Errno.notTypewriter) { try sibling.state() }
        #expect(try tree.isOpen("group"))
    }

    @Test("closing a session closes its device and then its group")
    func close() throws {
        let group = tree.group()
        let session = try groupSession(group)
        #expect(try tree.isOpen("device"))
        session.close()
        #expect(try !tree.isOpen("device"))
        #expect(!group.isOpen)
        session.close()
        #expect(throws: Errno.noDevice) { try session.keptFiles() }
    }

    // MARK: Handing in

    private func check(
        _ group: consuming FileDescriptor,
        _ container: consuming FileDescriptor,
        containerNumber: DeviceNumber? = zero
    ) throws -> Problem? {
        let check = DescriptorCheck(
            device: try id("mdev-1"),
            cdev: nil,
            iommu: nil,
            group: Self.null,
            container: containerNumber
        )
        do {
            let checked = try check.checked(DeviceDescriptors(.group, group, container))
            guard case .group = checked else {
                Issue.record("a group was taken for a device")
                return nil
            }
            return nil
        } catch {
            return error
        }
    }

    private func open(_ path: String) throws -> FileDescriptor {
        try FileDescriptor(opening: path, O_RDWR)
    }

    @Test("a group that does not answer as VFIO's do is refused with the errno")
    func noAnswer() throws {
        let problem = try #require(try check(open("/dev/null"), open("/dev/zero")))
        #expect(problem.code == .invalidField)
        #expect(problem.facts.errno == .notTypewriter)
        #expect(problem.facts.operation == "VFIO_GROUP_GET_STATUS")
    }

    @Test("a descriptor that only names the node of a group opens nothing")
    func pathOnly() throws {
        // O_PATH, which Glibc shows to GNU sources only.
        let path = try FileDescriptor(opening: "/dev/null", 0o10000000)
        let problem = try #require(try check(path, open("/dev/zero")))
        #expect(problem.facts.errno == .badDescriptor)
        #expect(problem.facts.operation == "VFIO_GROUP_GET_STATUS")
    }

    @Test("another group, another container, and a device's own descriptor are refused")
    func wrongFiles() throws {
        let group = try #require(try check(open("/dev/zero"), open("/dev/zero")))
        #expect(group.code == .invalidField)
        #expect(group.detail.contains("IOMMU group"))
        let container = try #require(try check(open("/dev/null"), open("/dev/null")))
        #expect(container.code == .invalidField)
        #expect(container.detail.contains("container"))
        let none = try check(open("/dev/null"), open("/dev/zero"), containerNumber: nil)
        #expect(none?.detail.contains("container") == true)
        let file = try #require(try check(tree.open("group"), open("/dev/zero")))
        #expect(file.detail.contains("IOMMU group"))
    }

    @Test("a device without a character device takes none handed in by that way")
    func noCdev() throws {
        let check = DescriptorCheck(
            device: try id("mdev-1"),
            cdev: nil,
            iommu: Self.zero,
            group: Self.null,
            container: Self.zero
        )
        do {
            _ = try check.checked(
                DeviceDescriptors(
                    .cdev(pageTableID: nil),
                    try open("/dev/null"),
                    try open("/dev/zero")
                )
            )
            Issue.record("a group was taken for a character device")
        } catch let problem as Problem {
            #expect(problem.code == .invalidField)
        }
    }

    // MARK: Ways

    private func device(cdev: Bool, group: SharedGroup?, hasIOMMU: Bool) throws -> UsableDevice {
        UsableDevice(
            found: SysfsDevice(
                record: DeviceRecord(
                    id: try id("mdev-1"),
                    backend: .kernel,
                    bus: .mdev,
                    address: "1"
                ),
                directory: "sys/devices/1",
                cdevNumber: nil
            ),
            cdevPath: cdev ? "/dev/vfio/devices/vfio1" : nil,
            group: group.map { UsableDevice.Group(path: "/dev/vfio/1", shared: $0) },
            hasIOMMU: hasIOMMU
        )
    }

    private func isByCdev(
        _ device: UsableDevice,
        _ companion: AddressSpace? = nil
    ) throws(Problem) -> Bool {
        if case .cdev = try device.way(joining: companion) { true } else { false }
    }

    @Test("a device is opened by its cdev where that works, and else by its group")
    func ways() throws {
        let closed = tree.group()
        #expect(try isByCdev(device(cdev: true, group: closed, hasIOMMU: true)))
        #expect(try isByCdev(device(cdev: true, group: nil, hasIOMMU: true)))
        #expect(try !isByCdev(device(cdev: true, group: closed, hasIOMMU: false)))
        #expect(try !isByCdev(device(cdev: false, group: closed, hasIOMMU: true)))
        // The iommufd that is missing is what its opening tells.
        #expect(try isByCdev(device(cdev: true, group: nil, hasIOMMU: false)))
        #expect(throws: Problem.self) {
            try isByCdev(device(cdev: false, group: nil, hasIOMMU: true))
        }
        let member = try tree.join(closed, "2")
        #expect(try !isByCdev(device(cdev: true, group: member.group, hasIOMMU: true)))
    }

    @Test("a device joins a companion by the companion's way, or not at all")
    func joining() throws {
        let group = tree.group()
        let byGroup = AddressSpace.group(try tree.join(group, "2"))
        let byCdev = AddressSpace.iommufd(IOMMUFile(try open("/dev/zero")), pageTableID: 1)
        let both = try device(cdev: true, group: group, hasIOMMU: true)
        #expect(try !isByCdev(both, byGroup))
        #expect(try isByCdev(both, byCdev))
        for (device, companion) in [
            (try device(cdev: true, group: nil, hasIOMMU: true), byGroup),
            (try device(cdev: false, group: group, hasIOMMU: true), byCdev),
        ] {
            do {
                _ = try isByCdev(device, companion)
                Issue.record("two ways into one address space")
            } catch let problem {
                #expect(problem.code == .incompatible)
            }
        }
    }
}
