import Foundation
import Glibc
import MigrationCore
import Synchronization
import SystemIO
import Testing

@testable import VFIODevices

@Suite("Looks while descriptors are short", .timeLimit(.minutes(2)))
struct ShortageTests {
    /// Runs in a thread whose table of descriptors is its own, with room for some more of them only,
    /// so that nobody else is short of any.
    private func withRoom(for count: Int, _ work: @escaping @Sendable () -> Void) throws {
        let isDone = DispatchSemaphore(value: 0)
        let failure = Mutex<Errno?>(nil)
        Thread.detachNewThread {
            defer { isDone.signal() }
            guard Self.unshareFiles() == 0 else {
                failure.withLock { $0 = Errno(number: errno) }
                return
            }
            var last: Int32 = 0
            while true {
                let next = dup(0)
                if next < 0 { break }
                last = next
            }
            for number in (0..<Int32(count)) { close(last - number) }
            work()
        }
        isDone.wait()
        try #require(failure.withLock { $0 } == nil)
    }

    /// `unshare(CLONE_FILES)`, which the C library declares for `_GNU_SOURCE` only.
    private static func unshareFiles() -> Int32 {
        typealias Call = @convention(c) (Int32) -> Int32
        guard let symbol = unsafe dlsym(nil, "unshare") else { return -1 }
        return unsafe unsafeBitCast(symbol, to: Call.self)(0x400)
    }

    @Test(
        "devices that were not seen for want of a descriptor are not gone, though one is free again"
    )
    func notGone() throws {
        let tree = try SysfsTree(captured: "x86")
        let inventory = try SysfsInventory(root: tree.root, deviceDirectory: "/dev")
        let watch = DeviceWatch(inventory, hearing: nil, WatchOptions())
        let known = watch.devices
        try #require(!known.isEmpty)
        let seen = Mutex<(count: Int, exhaustion: Errno?)>((-1, nil))
        // One suffices for a directory, and not for the names in it.
        try withRoom(for: 1) {
            let count = inventory.devices().count
            seen.withLock { $0 = (count, inventory.exhaustion()) }
        }
        #expect(seen.withLock { $0.count } == 0)
        #expect(seen.withLock { $0.exhaustion } == nil)
        #expect(inventory.tree.shortageCount > 0)
        // What is not there, or no directory, is no shortage.
        let count = inventory.tree.shortageCount
        #expect(inventory.tree.namesIfAny(in: "none").isEmpty)
        #expect(inventory.devices().count == known.count)
        #expect(inventory.tree.shortageCount == count)
    }

    @Test("a look that was cut short leaves the list, and the next one makes it true")
    func cutShort() throws {
        let tree = try SysfsTree(captured: "x86")
        let inventory = try SysfsInventory(root: tree.root, deviceDirectory: "/dev")
        let isShort = Atomic(false)
        let watch = DeviceWatch<SysfsDevice>(hearing: nil) {
            guard isShort.load(ordering: .acquiring) else {
                return DeviceWatch.look(at: inventory)
            }
            let found = Mutex<(devices: [SysfsDevice], isWhole: Bool)>(([], true))
            try? withRoom(for: 1) {
                let look = DeviceWatch.look(at: inventory)
                found.withLock { $0 = look }
            }
            return found.withLock { $0 }
        }
        let known = watch.devices
        isShort.store(true, ordering: .releasing)
        watch.lookNow()
        #expect(watch.devices == known)
        isShort.store(false, ordering: .releasing)
        tree.remove("sys/class/vfio-dev")
        watch.lookNow()
        #expect(watch.devices != known)
    }

    @Test("an id that sysfs has no bus for is not looked for; only a channel device has no link")
    func notLookedFor() throws {
        let tree = try SysfsTree(captured: "x86")
        let inventory = try SysfsInventory(root: tree.root, deviceDirectory: "/dev")
        for (text, isLookedFor) in [
            ("sim-0", false), ("vfiouser-net0", false), ("unknown", false), ("pci-0", true),
            ("ccw-0.0.1234", true),
        ] {
            let id = try #require(DeviceID(text))
            let count = inventory.tree.shortageCount
            // Whatever is opened fails, and is counted.
            try withRoom(for: 0) { _ = inventory.device(id) }
            #expect((inventory.tree.shortageCount > count) == isLookedFor, "\(text)")
        }
    }

    @Test("of more names than may be read the first ones are given, sorted: the lowest descriptors")
    func firstNames() throws {
        let names = try BoundedFile.names(in: "/proc/self/fd", limit: 2)
        #expect(names == ["0", "1"])
        let directory = try SysfsTree()
        for name in ["b", "a", "c"] { try directory.file(name, "") }
        #expect(try BoundedFile.names(in: directory.root, limit: 3) == ["a", "b", "c"])
    }
}
