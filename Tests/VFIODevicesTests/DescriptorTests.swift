import Dispatch
import Glibc
import MigrationCore
import MigrationPorts
import Synchronization
import SystemIO
import Testing

@testable import VFIODevices

@Suite("Descriptors")
struct DescriptorTests {
    private static let null = DeviceNumber(major: 1, minor: 3)
    private static let zero = DeviceNumber(major: 1, minor: 5)

    private func open(_ path: String) throws -> FileDescriptor {
        try FileDescriptor(opening: path, O_RDWR)
    }

    /// The check of a device whose cdev is /dev/null, on a host whose iommufd is /dev/zero.
    private func check(
        _ device: consuming FileDescriptor,
        _ iommufd: consuming FileDescriptor,
        iommu: DeviceNumber? = zero
    ) throws -> Problem? {
        let check = DescriptorCheck(
            device: try id("mdev-1"),
            cdev: Self.null,
            iommu: iommu,
            group: nil,
            container: nil
        )
        do {
            _ = try check.checked(
                DeviceDescriptors(device: device, iommufd: iommufd, pageTableID: 1)
            )
            return nil
        } catch {
            return error
        }
    }

    @Test("a descriptor of another device is refused")
    func otherDevice() throws {
        let problem = try #require(try check(open("/dev/zero"), open("/dev/zero")))
        #expect(problem.code == .invalidField)
        #expect(problem.facts.device?.text == "mdev-1")
        #expect(problem.detail.contains("character device"))
    }

    @Test("a file, a pipe end and an anonymous file are no device")
    func noDevice() throws {
        let tree = try SysfsTree()
        try tree.file("file", "x")
        let file = try #require(try check(open(tree.path("file")), open("/dev/zero")))
        #expect(file.detail.contains("character device"))
        var ends: [Int32] = [0, 0]
        try #require(unsafe pipe(&ends) == 0)
        let writing = FileDescriptor(owning: ends[1])
        let end = try #require(
            try check(FileDescriptor(owning: ends[0]), writing.duplicate())
        )
        #expect(end.detail.contains("character device"))
        let anonymous = FileDescriptor(
            owning: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        )
        let socket = try #require(try check(anonymous, open("/dev/zero")))
        #expect(socket.detail.contains("character device"))
    }

    @Test("the right device with something else than an iommufd is refused")
    func noIOMMU() throws {
        let wrong = try #require(try check(open("/dev/null"), open("/dev/null")))
        #expect(wrong.detail.contains("iommufd"))
        let none = try #require(try check(open("/dev/null"), open("/dev/zero"), iommu: nil))
        #expect(none.detail.contains("iommufd"))
    }

    @Test("a device that does not answer as VFIO does is refused with the errno")
    func noAnswer() throws {
        let problem = try #require(try check(open("/dev/null"), open("/dev/zero")))
        #expect(problem.code == .invalidField)
        #expect(problem.facts.errno == .notTypewriter)
        #expect(problem.facts.operation == "VFIO_DEVICE_GET_INFO")
    }

    /// A session on files that answer ENOTTY to every ioctl.
    private func session(of path: String = "/dev/null") throws -> KernelSession {
        let files = KernelSession.Files(
            device: DeviceFile(try open(path)),
            space: .iommufd(IOMMUFile(try open("/dev/zero")), pageTableID: 7)
        )
        return KernelSession(
            try id("mdev-1"),
            files,
            support: .none,
            signals: DeviceSignals(
                of: files.device,
                DeviceInfo(flags: 2, interruptCount: 5),
                on: DispatchQueue(label: "signals")
            )
        )
    }

    @Test("signals that cannot be armed are remembered, and the session works")
    func unarmed() throws {
        let session = try session()
        #expect(
            session.unarmedSignals
                == [.unplugRequested: .notTypewriter, .errorSignalled: .notTypewriter]
        )
        #expect(throws: Errno.notTypewriter) { try session.state() }
    }

    @Test("a device that answers ENOTTY has no migration")
    func noMigration() throws {
        #expect(try DeviceFile(try open("/dev/null")).migrationFlags() == nil)
    }

    @Test("every call after close throws ENODEV, and closing twice does no harm")
    func closed() throws {
        let session = try session()
        session.close()
        session.close()
        #expect(throws: Errno.noDevice) { try session.state() }
        #expect(throws: Errno.noDevice) { try session.set(.stop) }
        #expect(throws: Errno.noDevice) { try session.stopCopyByteCount() }
        #expect(throws: Errno.noDevice) { try session.reset() }
        do {
            _ = try session.duplicateDescriptors()
            Issue.record("a closed session gave descriptors away")
        } catch {
            #expect(error == .noDevice)
        }
    }

    @Test("a call under way keeps the device open, and its end closes it")
    func underWay() throws {
        let tree = try SysfsTree()
        try tree.file("device", "")
        let identity = try FileIdentity(ofPath: tree.path("device"))
        let session = try session(of: tree.path("device"))
        var call: KernelSession.Files? = try session.open()
        session.close()
        let number = try #require(call.map { $0.device.file.descriptor.raw })
        #expect(try FileIdentity(ofPath: "/proc/self/fd/\(number)") == identity)
        call = nil
        let open = try BoundedFile.names(in: "/proc/self/fd")
        #expect(!open.contains { (try? FileIdentity(ofPath: "/proc/self/fd/\($0)")) == identity })
    }

    @Test("duplicates are of the same files, with the address space the device is in")
    func duplicates() throws {
        let session = try session()
        guard let duplicates = try session.duplicateDescriptors() else {
            Issue.record("no descriptors")
            return
        }
        #expect(try duplicates.first.identity() == .characterDevice(Self.null))
        #expect(try duplicates.second.identity() == .characterDevice(Self.zero))
        #expect(duplicates.path == .cdev(pageTableID: 7))
        #expect(fcntl(duplicates.first.raw, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test("a stream reads and writes its file, and answers ENODEV once closed")
    func stream() throws {
        var ends: [Int32] = [0, 0]
        try #require(unsafe pipe(&ends) == 0)
        let source = KernelStream(SharedDescriptor(FileDescriptor(owning: ends[0])))
        let sink = KernelStream(SharedDescriptor(FileDescriptor(owning: ends[1])))
        let out = IOBuffer(byteCount: 8)
        let back = IOBuffer(byteCount: 8)
        unsafe out.bytes.copyBytes(from: [1, 2, 3, 4, 5, 6, 7, 8])
        #expect(try unsafe sink.write(out.prefix(8)) == 8)
        #expect(try unsafe source.read(into: back.bytes) == 8)
        #expect(unsafe back.bytes.elementsEqual(out.bytes))
        #expect(throws: Errno.notTypewriter) { try source.preCopyInfo() }
        sink.close()
        #expect(try unsafe source.read(into: back.bytes) == 0)
        #expect(throws: Errno.noDevice) { try unsafe sink.write(out.prefix(8)) }
    }
}
