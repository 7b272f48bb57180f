import Glibc
import MigrationCore
import Synchronization
import SystemIO
import Testing

@testable import VFIODevices

@Suite("The list that is kept true")
struct DeviceWatchTests {
    /// What a watch told, and whether it is taken.
    private final class Ear: Sendable {
        struct Told: Equatable {
            let gone: [String]
            let changed: [String]
        }

        private let state = Mutex((told: [Told](), takes: true))

        var told: [Told] { state.withLock { $0.told } }

        func take(_ takes: Bool) { state.withLock { $0.takes = takes } }

        func hear(_ gone: [DeviceID], _ changed: [SysfsDevice]) -> Bool {
            state.withLock { state in
                state.told.append(
                    Told(gone: gone.map(\.text), changed: changed.map(\.record.id.text))
                )
                return state.takes
            }
        }
    }

    private static let device = "pci-0000:41:00.3"

    /// A function on vfio-pci with a power state.
    private func tree() throws -> SysfsTree {
        let tree = try SysfsTree()
        try tree.directory("sys/class/vfio-dev")
        try add("0000:41:00.3", cdev: "vfio0", to: tree)
        try tree.file("sys/devices/0000:41:00.3/power_state", "D0")
        return tree
    }

    private func add(_ name: String, cdev: String, to tree: SysfsTree) throws {
        try tree.device(name, bus: "pci", driver: "vfio-pci", group: "7")
        try tree.cdev(cdev, of: name, number: "244:\(cdev.dropFirst(4))")
    }

    private func watch(_ tree: SysfsTree) throws -> DeviceWatch<SysfsDevice> {
        var options = WatchOptions()
        // No look but those of the test.
        options.ageLimitNanoseconds = 1 << 60
        options.retryNanoseconds = 1 << 40
        let inventory = try SysfsInventory(root: tree.root, deviceDirectory: "/dev")
        return DeviceWatch(inventory, hearing: nil, options)
    }

    /// A watch that hears of nothing but what the test does next.
    private func heard(_ tree: SysfsTree, by ear: Ear) throws -> DeviceWatch<SysfsDevice> {
        let watch = try watch(tree)
        watch.observe(ear.hear)
        // Behind what observing tells.
        watch.lookNow()
        return watch
    }

    @Test("a device that comes, changes and goes is told of once, and the list has it by then")
    func comesAndGoes() throws {
        let tree = try tree()
        let ear = Ear()
        let watch = try heard(tree, by: ear)
        #expect(ear.told == [])
        try add("0000:41:00.4", cdev: "vfio1", to: tree)
        watch.lookNow()
        watch.lookNow()
        let added = Ear.Told(gone: [], changed: ["pci-0000:41:00.4"])
        // The other one of the group has a sibling now.
        #expect(ear.told == [.init(gone: [], changed: [Self.device, "pci-0000:41:00.4"])])
        #expect(watch.devices.map(\.record.id.text) == [Self.device, "pci-0000:41:00.4"])
        try tree.file("sys/devices/0000:41:00.4/numa_node", "1")
        watch.lookNow()
        #expect(ear.told.last == added)
        for path in [
            "sys/class/vfio-dev/vfio1", "sys/bus/pci/devices/0000:41:00.4",
            "sys/kernel/iommu_groups/7/devices/0000:41:00.4",
        ] { tree.remove(path) }
        watch.lookNow()
        #expect(ear.told.last == .init(gone: ["pci-0000:41:00.4"], changed: [Self.device]))
        #expect(watch.devices.map(\.record.id.text) == [Self.device])
    }

    @Test("a function that falls asleep is listed so, and nobody is told")
    func powerState() throws {
        let tree = try tree()
        let ear = Ear()
        let watch = try heard(tree, by: ear)
        try tree.file("sys/devices/0000:41:00.3/power_state", "D3hot")
        watch.lookNow()
        #expect(watch.devices.first?.record.pci?.powerState == "D3hot")
        #expect(ear.told == [])
        try tree.file("sys/devices/0000:41:00.3/reset_method", "flr")
        watch.lookNow()
        #expect(ear.told == [.init(gone: [], changed: [Self.device])])
    }

    @Test("what was not taken is told again, with what has come since")
    func notTaken() throws {
        let tree = try tree()
        let ear = Ear()
        let watch = try heard(tree, by: ear)
        ear.take(false)
        try tree.file("sys/devices/0000:41:00.3/numa_node", "1")
        watch.lookNow()
        tree.remove("sys/class/vfio-dev/vfio0")
        tree.remove("sys/bus/pci/devices/0000:41:00.3")
        ear.take(true)
        watch.lookNow()
        watch.lookNow()
        #expect(
            ear.told == [
                .init(gone: [], changed: [Self.device]), .init(gone: [Self.device], changed: []),
            ]
        )
    }

    @Test("what has changed before anybody observed is told")
    func beforeObserving() throws {
        let tree = try tree()
        let watch = try watch(tree)
        tree.remove("sys/class/vfio-dev/vfio0")
        tree.remove("sys/bus/pci/devices/0000:41:00.3")
        watch.lookNow()
        let ear = Ear()
        watch.observe(ear.hear)
        watch.lookNow()
        #expect(ear.told == [.init(gone: [Self.device], changed: [])])
    }

    @Test("a device that is being unbound is looked at without the lock its unbinding holds")
    func beingUnbound() throws {
        let tree = try SysfsTree()
        try tree.directory("sys/class/vfio-dev")
        try tree.device("0000:41:00.3", bus: "pci", driver: nil, group: "7")
        let directory = "sys/devices/0000:41:00.3"
        try tree.file("\(directory)/driver_override", "vfio-pci")
        let inventory = try SysfsInventory(root: tree.root, deviceDirectory: "/dev")
        try tree.file("\(directory)/uevent", "DRIVER=vfio-pci\nPCI_CLASS=10802")
        // Not overridden, as far as was read, and not free: no candidate.
        #expect(inventory.devices().isEmpty)
        try tree.file("\(directory)/uevent", "PCI_CLASS=10802")
        #expect(inventory.devices().first?.record.candidate?.driver == "vfio-pci")
    }
}

@Suite("What the kernel tells of devices")
struct UeventTests {
    private func message(_ fields: String...) -> [UInt8] {
        fields.flatMap { Array($0.utf8) + [0] }
    }

    @Test("a message has an action, a path and a subsystem")
    func parsed() throws {
        let text = message(
            "add@/devices/virtual/mtty/mtty/83b8",
            "ACTION=add",
            "DEVPATH=/devices/virtual/mtty/mtty/83b8",
            "SUBSYSTEM=mdev",
            "SEQNUM=1"
        )
        let event = try #require(UeventSocket.Uevent(text))
        #expect(event.action == "add")
        #expect(event.path == "/devices/virtual/mtty/mtty/83b8")
        #expect(event.subsystem == "mdev")
    }

    @Test("a path may have an at sign, and a message no subsystem")
    func odd() throws {
        let event = try #require(UeventSocket.Uevent(message("change@/devices/a@b")))
        #expect(event.path == "/devices/a@b")
        #expect(event.subsystem == nil)
    }

    @Test(
        "what is no message of the kernel's says nothing",
        arguments: [[], [0], Array("libudev\0\u{fe}\u{ed}".utf8), [0xff, 0xfe, 0]]
    )
    func meaningless(bytes: [UInt8]) { #expect(UeventSocket.Uevent(bytes) == nil) }

    @Test("the kernel's own messages are heard", .enabled(if: CausedEvent.isPossible))
    func heard() throws {
        let socket = try UeventSocket()
        try CausedEvent.cause()
        // The kernel sends before the write that makes it returns.
        while let message = try socket.receive() {
            guard case .event(let event) = message, event.path.hasSuffix("/mem/null") else {
                continue
            }
            #expect(event.action == "change")
            #expect(event.subsystem == "mem")
            return
        }
        Issue.record("the kernel's event was not heard")
    }
}

/// An event that changes nothing: of `/dev/null`, as `udevadm trigger` makes them.
private enum CausedEvent {
    private static let path = "/sys/class/mem/null/uevent"

    /// Root may make events, and only the host's network namespace hears them: tried once.
    static let isPossible: Bool = {
        guard let socket = try? UeventSocket(), (try? cause()) != nil else { return false }
        return (try? socket.receive()) != nil
    }()

    static func cause() throws {
        let file = try FileDescriptor(opening: path, O_WRONLY)
        let text = Array("change".utf8)
        guard unsafe write(file.raw, text, text.count) == text.count else {
            throw Errno(number: errno)
        }
    }
}
