import Dispatch
import Glibc
import MigrationCore
import Synchronization
import SystemIO
import Testing

@testable import VFIODevices

@Suite("Trees that make no sense")
struct MalformedTreeTests {
    private func devices(_ tree: SysfsTree) throws -> [SysfsDevice] {
        try SysfsInventory(root: tree.root, deviceDirectory: "/dev").devices()
    }

    @Test("an empty tree, and one whose classes are files, have no devices")
    func empty() throws {
        let tree = try SysfsTree()
        #expect(try devices(tree).isEmpty)
        try tree.file("sys/class/vfio-dev", "not a directory")
        try tree.file("sys/class/vfio", "neither")
        #expect(try devices(tree).isEmpty)
    }

    @Test("class entries that are no links to devices are left out")
    func entries() throws {
        let tree = try SysfsTree(captured: "x86")
        try tree.file("sys/class/vfio-dev/vfio10", "a file")
        try tree.directory("sys/class/vfio-dev/vfio11")
        try tree.link("sys/class/vfio-dev/vfio12", "../../devices/gone/vfio-dev/vfio12")
        try tree.link("sys/class/vfio-dev/vfio13", "vfio13")
        try tree.link("sys/class/vfio-dev/vfio14", "../../../../../../../../etc/vfio-dev/vfio14")
        try tree.link("sys/class/vfio-dev/vfio15", "/proc/self/vfio-dev/vfio15")
        try tree.link("sys/class/vfio-dev/\u{1}\u{7f}", "../../devices")
        #expect(try devices(tree).count == 3)
    }

    @Test("attributes that are garbage read as nothing")
    func attributes() throws {
        let tree = try SysfsTree()
        try tree.device("0000:41:00.3", bus: "pci", driver: nil, group: nil)
        try tree.cdev("vfio0", of: "0000:41:00.3", number: "not:a number")
        let path = "sys/devices/0000:41:00.3"
        try tree.file("\(path)/vendor", bytes: [0xff, 0xfe, 0, 0x80])
        try #require(unsafe mkfifo(tree.path("\(path)/device"), 0o644) == 0)
        try tree.file("\(path)/numa_node", "99999999999999999999")
        try tree.directory("\(path)/driver")
        let record = try #require(try devices(tree).first).record
        #expect(record.vendorID == nil)
        #expect(record.deviceID == nil)
        #expect(record.numaNode == nil)
        #expect(record.driver == nil)
        #expect(record.cdevPath == nil)
    }

    @Test("devices on a bus without a name here, or with impossible names, are left out")
    func names() throws {
        let tree = try SysfsTree()
        try tree.device("a device", bus: "platform", driver: "vfio-platform", group: nil)
        try tree.cdev("vfio0", of: "a device", number: "244:0")
        try tree.device("dfl.0", bus: "dfl", driver: "vfio-dfl", group: nil)
        try tree.cdev("vfio1", of: "dfl.0", number: "244:1")
        #expect(try devices(tree).isEmpty)
    }

    @Test("no link leads out of the tree")
    func escapes() throws {
        let outside = try SysfsTree()
        try outside.device("0000:41:00.3", bus: "pci", driver: "vfio-pci", group: nil)
        try outside.cdev("vfio0", of: "0000:41:00.3", number: "244:0")
        let tree = try SysfsTree()
        try tree.link("sys", "\(outside.root)/sys")
        #expect(try devices(tree).isEmpty)
        tree.remove("sys")
        try tree.link(
            "sys/class",
            "../../" + (outside.root.split(separator: "/").last ?? "") + "/sys/class"
        )
        #expect(try devices(tree).isEmpty)
        // The same links are good in the tree they were made for.
        #expect(try devices(outside).count == 1)
    }

    @Test("devices that come and go while they are listed do no harm")
    func vanishing() throws {
        let tree = try SysfsTree(captured: "x86")
        let inventory = try SysfsInventory(root: tree.root, deviceDirectory: "/dev")
        let known = Set(inventory.devices().map(\.record.id))
        let isDone = Atomic(false)
        let finished = DispatchSemaphore(value: 0)
        DispatchQueue(label: "vanishing").async {
            let target = "../../devices/pci0000:00/0000:00:01.0/0000:01:00.1/vfio-dev/vfio2"
            let device = "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.1"
            while !isDone.load(ordering: .acquiring) {
                tree.remove("sys/class/vfio-dev/vfio2")
                _ = unsafe rename(tree.path(device), tree.path("sys/away"))
                _ = unsafe rename(tree.path("sys/away"), tree.path(device))
                try? tree.link("sys/class/vfio-dev/vfio2", target)
            }
            finished.signal()
        }
        for _ in 0..<200 { #expect(known.isSuperset(of: inventory.devices().map(\.record.id))) }
        isDone.store(true, ordering: .releasing)
        try #require(finished.wait(timeout: .now() + 60) == .success)
        #expect(Set(inventory.devices().map(\.record.id)) == known)
    }

    @Test("debugfs tells states, and which drivers offer no migration")
    func debugStates() throws {
        let tree = try SysfsTree()
        let vfio = "sys/kernel/debug/vfio"
        try tree.file("\(vfio)/a/migration/state", "PRE_COPY_P2P")
        try tree.file("\(vfio)/b/migration/state", "Invalid")
        try tree.directory("\(vfio)/c")
        try tree.directory("\(vfio)/d/migration")
        let states = DebugStates(tree: try ConfinedTree(root: tree.root))
        #expect(
            states.answers(for: ["a", "b", "c", "d", "e"]) == [
                "a": .state(.known(.preCopyP2P)), "b": .state(nil), "c": .noMigration,
                "d": .state(nil),
            ]
        )
    }

    @Test("a device whose state cannot be read in time is named, and the others' states are told")
    func abandonedRequest() {
        let request = DebugStateRequest(["a", "b", "c"])
        #expect(request.next() == "a")
        request.add(.noMigration, for: "a")
        #expect(request.next() == "b")
        var stuck: [String] = []
        #expect(request.abandon { stuck.append($0) } == ["a": .noMigration])
        #expect(stuck == ["b"])
        #expect(request.next() == nil)
    }

    @Test("callers that are more than the readers wait for one")
    func manyCallers() throws {
        let tree = try SysfsTree()
        try tree.file("sys/kernel/debug/vfio/a/migration/state", "STOP")
        let states = DebugStates(
            tree: try ConfinedTree(root: tree.root),
            patience: .seconds(60)
        )
        let told = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: 32) { _ in
            if states.answers(for: ["a"]) == ["a": .state(.known(.stop))] {
                told.add(1, ordering: .relaxed)
            }
        }
        #expect(told.load(ordering: .relaxed) == 32)
    }
}
