import Glibc
import MigrationCore
import SystemIO
import Testing

@testable import VFIODevices

@Suite("Hosts with many devices")
struct LargeTreeTests {
    /// Functions in groups of three, of which VFIO has two and could have the third.
    private func tree(_ count: Int) throws -> SysfsTree {
        let tree = try SysfsTree()
        try tree.directory("sys/class/vfio-dev")
        for number in 0..<count {
            let (bus, slot) = (0x41 + number / 256, number % 256 / 8)
            let name = "0000:\(hexadecimal(bus)):\(hexadecimal(slot)).\(number % 8)"
            let isHad = number % 3 < 2
            try tree.device(
                name,
                bus: "pci",
                driver: isHad ? "mlx5_vfio_pci" : nil,
                group: "\(number / 3)"
            )
            if isHad { try tree.cdev("vfio\(number)", of: name, number: "510:\(number)") }
        }
        return tree
    }

    private func hexadecimal(_ number: Int) -> String {
        (number < 16 ? "0" : "") + String(number, radix: 16)
    }

    @Test("the list of all shows what a look at each alone shows, in order")
    func sideBySide() throws {
        let tree = try tree(1000)
        let inventory = try SysfsInventory(root: tree.root, deviceDirectory: "/dev")
        let devices = inventory.devices()
        #expect(devices.count == 1000)
        #expect(devices.map(\.record.id) == devices.map(\.record.id).sorted())
        #expect(devices.count { $0.record.candidate == nil } == 667)
        // Of the last group there is one function only.
        #expect(devices.dropLast().allSatisfy { $0.record.isolation?.siblings.count == 2 })
        for device in devices { #expect(inventory.device(device.record.id) == device) }
    }

    @Test("parts of a long list come back in its order", arguments: [0, 1, 127, 128, 300, 5000])
    func order(count: Int) {
        let doubled = SideBySide.map(Array(0..<count)) { part in part.map { $0 * 2 } }
        #expect(doubled == (0..<count).map { $0 * 2 })
        // What is left out leaves no gap.
        let even = SideBySide.map(Array(0..<count)) { part in part.filter { $0 % 2 == 0 } }
        #expect(even == Array(stride(from: 0, to: count, by: 2)))
    }

    @Test("a directory of any size is read whole, and as far as its limit")
    func names() throws {
        let tree = try SysfsTree()
        // More than one call of the kernel's gives out.
        let names = (0..<300).map { "\($0)-" + String(repeating: "n", count: 240) }
        for name in names { try tree.directory("many/\(name)") }
        for name in ["..a", ".b", "..."] { try tree.directory("odd/\(name)") }
        try tree.directory("empty")
        #expect(try BoundedFile.names(in: tree.path("many")) == names.sorted())
        #expect(try BoundedFile.names(in: tree.path("many"), limit: 7).count == 7)
        #expect(try BoundedFile.names(in: tree.path("odd")) == ["...", "..a", ".b"])
        #expect(try BoundedFile.names(in: tree.path("empty")).isEmpty)
        #expect(throws: Errno.noEntry) { try BoundedFile.names(in: tree.path("gone")) }
    }
}
