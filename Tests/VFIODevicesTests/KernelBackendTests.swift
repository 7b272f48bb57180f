import Glibc
import MigrationCore
import MigrationPorts
import SystemIO
import Testing

@testable import VFIODevices

@Suite("The kernel backend without hardware")
struct KernelBackendTests {
    @Test("a captured tree is listed, and nothing of it is opened")
    func readOnly() throws {
        let tree = try SysfsTree(captured: "x86")
        let backend = try KernelBackend(sysfsRoot: tree.root)
        #expect(backend.devices().count == 3)
        #expect(backend.initialSessions().isEmpty)
        let device = try id("pci-0000:01:00.1")
        #expect(backend.device(device)?.support == MigrationSupport.none)
        #expect(backend.holders(of: device).isEmpty)
        #expect(refusal { try backend.open(device, joining: nil) } == .notMigratable)
        #expect(refusal { try backend.probe(device) } == .notMigratable)
        let descriptors = DeviceDescriptors(
            device: try FileDescriptor(opening: "/dev/null", O_RDWR),
            iommufd: try FileDescriptor(opening: "/dev/null", O_RDWR),
            pageTableID: nil
        )
        do {
            _ = try backend.adopt(device, descriptors)
            Issue.record("a captured device was adopted")
        } catch {
            #expect(error.code == .notMigratable)
        }
    }

    @Test("AP and CCW devices are recreated, which no opening has to tell")
    func recreate() throws {
        let tree = try SysfsTree(captured: "s390x")
        let backend = try KernelBackend(sysfsRoot: tree.root)
        #expect(try backend.probe(id("ccw-0.0.1234")) == .recreate)
    }

    @Test("debugfs shows states, and tells that a driver has no migration")
    func debugState() throws {
        let tree = try SysfsTree(captured: "x86")
        let vfio = "sys/kernel/debug/vfio"
        try tree.file(
            "\(vfio)/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001/migration/state",
            "RUNNING"
        )
        let backend = try KernelBackend(sysfsRoot: tree.root)
        let mdev = try id("mdev-83b8f4f2-509f-382f-3c1e-e6bfe0fa1001")
        #expect(backend.device(mdev)?.debugState == .known(.running))
        #expect(backend.device(mdev)?.support == .stateStream(.stopCopy))
        #expect(backend.device(mdev)?.supportSource == .debugfs)
        tree.remove("\(vfio)/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001/migration")
        #expect(backend.device(mdev)?.debugState == nil)
        #expect(backend.device(mdev)?.support == MigrationSupport.none)
    }

    @Test("a device this host does not have is gone")
    func gone() throws {
        let backend = try KernelBackend()
        let device = try id("pci-ffff:ff:1f.7")
        #expect(backend.device(device) == nil)
        #expect(refusal { try backend.open(device, joining: nil) } == .deviceGone)
        #expect(refusal { try backend.probe(device) } == .deviceGone)
        #expect(backend.holders(of: device).isEmpty)
    }

    @Test("a root that is no directory is refused")
    func noRoot() {
        #expect(refusal { try KernelBackend(sysfsRoot: "/nonexistent") } == .invalidField)
        #expect(refusal { try KernelBackend(sysfsRoot: "/dev/null") } == .invalidField)
    }

    @Test("an answer is kept while the driver stays the same")
    func cache() throws {
        let cache = SupportCache()
        var record = DeviceRecord(
            id: try id("pci-0000:41:00.3"),
            backend: .kernel,
            bus: .pci,
            address: "0000:41:00.3"
        )
        record.driver = "mlx5_vfio_pci"
        #expect(cache.answer(of: record)?.support == nil)
        cache.keep(.stateStream([.stopCopy, .p2p]), for: record)
        #expect(cache.answer(of: record)?.support == .stateStream([.stopCopy, .p2p]))
        record.driver = "vfio-pci"
        #expect(cache.answer(of: record)?.support == nil)
    }

    @Test("an answer is forgotten with its device, and with its driver for good")
    func forgetting() throws {
        let cache = SupportCache()
        var record = DeviceRecord(
            id: try id("pci-0000:41:00.3"),
            backend: .kernel,
            bus: .pci,
            address: "0000:41:00.3"
        )
        record.driver = "mlx5_vfio_pci"
        let asked = record
        cache.keep(.stateStream(.stopCopy), for: asked)
        // It is told of as new after it was asked: nothing about it is another.
        cache.forget(gone: [], changed: [asked])
        #expect(cache.answer(of: asked) != nil)
        record.driver = "mlx5_core"
        cache.forget(gone: [], changed: [record])
        #expect(cache.answer(of: asked) == nil)
        cache.keep(.stateStream(.stopCopy), for: asked)
        cache.forget(gone: [asked.id], changed: [])
        #expect(cache.answer(of: asked) == nil)
    }

    private func refusal<Value>(_ body: () throws -> Value) -> Problem.Code? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? Problem)?.code
        }
    }
}
