import MigrationCore
import SystemIO
import Testing

@testable import VFIODevices

@Suite("The inventory of captured trees")
struct InventoryTests {
    private func inventory(_ tree: SysfsTree) throws -> SysfsInventory {
        try SysfsInventory(root: tree.root, deviceDirectory: "/dev")
    }

    @Test("an x86 host shows its virtual function, its network card and its mdev")
    func x86() throws {
        let tree = try SysfsTree(captured: "x86")
        let devices = try inventory(tree).devices()
        #expect(
            devices.map(\.record.id.text) == [
                "mdev-83b8f4f2-509f-382f-3c1e-e6bfe0fa1001", "pci-0000:01:00.1", "pci-0000:02:00.0",
            ]
        )
        let function = devices[1]
        #expect(function.record.bus == .pci)
        #expect(function.record.address == "0000:01:00.1")
        #expect(function.record.driver == "vfio-pci")
        #expect(function.record.iommuGroup == "11")
        #expect(function.record.groupPath == "/dev/vfio/11")
        #expect(function.record.cdevPath == "/dev/vfio/devices/vfio2")
        #expect(function.cdevNumber == DeviceNumber(major: 244, minor: 2))
        #expect(function.record.vendorID == 0x1b36)
        #expect(function.record.deviceID == 0x10)
        #expect(function.record.numaNode == nil)
        #expect(function.record.mediated == nil)
        #expect(function.record.support == .none)
    }

    @Test("an mdev shows its parent and type, and a directory named vendor is no number")
    func mdev() throws {
        let tree = try SysfsTree(captured: "x86")
        let found = try inventory(tree).device(id("mdev-83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"))
        let device = try #require(found)
        #expect(device.record.bus == .mdev)
        #expect(device.record.driver == "mtty")
        #expect(device.record.mediated?.parent == "mtty")
        #expect(device.record.mediated?.type == "mtty-2")
        #expect(device.record.vendorID == nil)
        #expect(device.record.support == .unknown)
        #expect(device.kernelName == "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001")
    }

    @Test("an s390x host names its mdevs by what they are: a subchannel, an AP matrix")
    func s390x() throws {
        let tree = try SysfsTree(captured: "s390x")
        let devices = try inventory(tree).devices()
        #expect(
            devices.map(\.record.id.text) == [
                "ap-669d9b23-fe1b-4ecb-be08-a2fabca99b71", "ccw-0.0.1234", "pci-0022:00:00.0",
            ]
        )
        #expect(devices.map(\.record.support) == [.recreate, .recreate, .none])
        #expect(devices.map(\.record.mediated?.parent) == ["matrix", "0.0.0000", nil])
        #expect(devices[1].record.mediated?.type == "vfio_ccw-io")
        #expect(devices[1].kernelName == "6dfd3ec5-e8b3-4e18-a6fe-57bc9eceb920")
    }

    @Test("an arm64 host shows platform and AMBA devices, and PCI below a platform bridge")
    func aarch64() throws {
        let tree = try SysfsTree(captured: "aarch64")
        let devices = try inventory(tree).devices()
        #expect(
            devices.map(\.record.id.text) == [
                "amba-9030000.pl061", "pci-0000:01:00.1", "platform-a003c00.virtio_mmio",
            ]
        )
        #expect(devices.map(\.record.driver) == ["vfio-amba", "vfio-pci", "vfio-platform"])
    }

    @Test(
        "a device found by its id is the one the list shows",
        arguments: ["x86", "s390x", "aarch64"]
    )
    func lookUp(name: String) throws {
        let tree = try SysfsTree(captured: name)
        let inventory = try inventory(tree)
        let devices = inventory.devices()
        #expect(!devices.isEmpty)
        for device in devices { #expect(inventory.device(device.record.id) == device) }
    }

    @Test("ids that are no device of the tree are not found")
    func unknownIDs() throws {
        let tree = try SysfsTree(captured: "s390x")
        let inventory = try inventory(tree)
        for text in [
            "pci-0000:99:00.0", "pci-..", "mdev-", "sim-0", "ccw-0.0.9999", "cdx-00:00",
            // The AP matrix is an mdev, but that is not its name here.
            "mdev-669d9b23-fe1b-4ecb-be08-a2fabca99b71",
        ] {
            #expect(inventory.device(try id(text)) == nil, "\(text)")
        }
    }

    @Test("a bridge's port driver does not keep a group from VFIO, a host driver does")
    func siblings() throws {
        let tree = try SysfsTree(captured: "aarch64")
        let inventory = try inventory(tree)
        let found = inventory.device(try id("pci-0000:01:00.1"))
        let device = try #require(found)
        #expect(inventory.siblings(of: device).map(\.name) == ["0000:00:02.0", "0000:01:00.2"])
        #expect(inventory.siblings(of: device).filter(\.blocksGroup).isEmpty)
        let driver =
            "sys/devices/platform/4010000000.pcie/pci0000:00/0000:00:02.0/0000:01:00.2/driver"
        tree.remove(driver)
        try tree.link(driver, "../../../../../../bus/pci/drivers/nvme")
        let blocking = inventory.siblings(of: device).filter(\.blocksGroup)
        #expect(blocking.map(\.description) == ["0000:01:00.2 (nvme)"])
    }

    @Test("a kernel without the class of VFIO devices shows those of its groups")
    func groupsOnly() throws {
        let tree = try SysfsTree()
        try tree.device("0000:41:00.3", bus: "pci", driver: "mlx5_vfio_pci", group: "8")
        try tree.device("0000:41:00.0", bus: "pci", driver: "mlx5_core", group: "8")
        try tree.device("0000:42:00.0", bus: "pci", driver: "vfio-pci", group: "9")
        try tree.link("sys/class/vfio/8", "../../devices/virtual/vfio/8")
        let inventory = try inventory(tree)
        #expect(inventory.devices().map(\.record.id.text) == ["pci-0000:41:00.3"])
        let device = try #require(inventory.device(try id("pci-0000:41:00.3")))
        #expect(device.record.groupPath == "/dev/vfio/8")
        #expect(device.record.cdevPath == nil)
        #expect(device.record.support == .stateStream([.stopCopy, .p2p, .preCopy]))
        #expect(device.record.supportSource == .inferred)
        let sibling = try #require(inventory.device(try id("pci-0000:41:00.0")))
        #expect(sibling.record.candidate?.kind == .host)
        // Bound to a VFIO driver, but its group has no node: VFIO does not have it.
        let unmade = try #require(inventory.device(try id("pci-0000:42:00.0")))
        #expect(unmade.record.candidate?.kind == .host)
        #expect(unmade.record.groupPath == nil)
    }

    @Test("only a node named noiommu is a group without an IOMMU")
    func noIOMMU() throws {
        let tree = try SysfsTree()
        try tree.device("0000:41:00.3", bus: "pci", driver: "vfio-pci", group: "0")
        try tree.cdev("vfio0", of: "0000:41:00.3", number: nil)
        try tree.link("sys/class/vfio/noiommu-0", "../../devices/virtual/vfio/noiommu-0")
        let device = try #require(try inventory(tree).device(id("pci-0000:41:00.3")))
        #expect(device.record.groupPath == "/dev/vfio/noiommu-0")
        #expect(device.record.cdevPath == nil)
        #expect(device.cdevNumber == nil)
    }

    @Test("a subchannel whose device number cannot be read keeps the name of its mdev")
    func subchannelWithoutNumber() throws {
        let tree = try SysfsTree(captured: "s390x")
        tree.remove("sys/devices/css0/0.0.0000/dev_busid")
        let ids = try inventory(tree).devices().map(\.record.id.text)
        #expect(ids.contains("ccw-6dfd3ec5-e8b3-4e18-a6fe-57bc9eceb920"))
    }

    @Test("a NUMA node is shown where the kernel names one")
    func numaNode() throws {
        let tree = try SysfsTree()
        try tree.device("0000:41:00.3", bus: "pci", driver: "vfio-pci", group: "8")
        try tree.cdev("vfio0", of: "0000:41:00.3", number: "244:0")
        try tree.file("sys/devices/0000:41:00.3/numa_node", "1")
        #expect(try inventory(tree).devices().map(\.record.numaNode) == [1])
    }

    @Test("groups and containers have the numbers of their nodes")
    func groupNumbers() throws {
        let tree = try SysfsTree(captured: "x86")
        let inventory = try inventory(tree)
        let device = try #require(inventory.device(id("pci-0000:01:00.1")))
        #expect(inventory.groupNumber(of: device) == nil)
        #expect(inventory.containerNumber() == nil)
        try tree.file("sys/devices/virtual/vfio/11/dev", "243:1")
        try tree.file("sys/devices/virtual/misc/vfio/dev", "10:196")
        try tree.link("sys/class/misc/vfio", "../../devices/virtual/misc/vfio")
        #expect(inventory.groupNumber(of: device) == DeviceNumber(major: 243, minor: 1))
        #expect(inventory.containerNumber() == DeviceNumber(major: 10, minor: 196))
    }

    @Test("only the name of its node tells that a device is used without an IOMMU")
    func withoutIOMMU() throws {
        let tree = try SysfsTree()
        try tree.device("0000:05:00.0", bus: "pci", driver: "vfio-pci", group: "5")
        try tree.device("0000:06:00.0", bus: "pci", driver: "vfio-pci", group: "6")
        for group in ["5", "6"] {
            try tree.file("sys/kernel/iommu_groups/\(group)/name", "vfio-noiommu")
        }
        try tree.directory("sys/class/vfio/noiommu-5")
        try tree.directory("sys/class/vfio/6")
        let devices = try inventory(tree).devices()
        #expect(devices.map(\.isWithoutIOMMU) == [true, false])
        #expect(devices.map(\.record.groupPath) == ["/dev/vfio/noiommu-5", "/dev/vfio/6"])
    }
}
