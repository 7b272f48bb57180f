import Foundation
import Glibc
import MigrationCore
import SystemIO
import Testing

/// A sysfs tree of our own in a temporary directory, removed with its owner.
final class SysfsTree: Sendable {
    let root: String

    init() throws {
        self.root = NSTemporaryDirectory() + "ferry-sysfs-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: root,
            withIntermediateDirectories: true
        )
    }

    /// The tree of a fixture: lines `link PATH TARGET`, `file PATH TEXT`, `dir PATH`.
    convenience init(captured name: String) throws {
        try self.init()
        let path = try #require(
            Bundle.module.path(forResource: name, ofType: "tree", inDirectory: "Fixtures")
        )
        for line in try BoundedFile.text(at: path).split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 2).map(String.init)
            switch words[0] {
            case "link": try link(words[1], words[2])
            case "file": try file(words[1], words.count > 2 ? words[2] : "")
            case "dir": try directory(words[1])
            default: #expect(words[0] == "#")
            }
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    func path(_ path: String) -> String { "\(root)/\(path)" }

    func directory(_ path: String) throws {
        try FileManager.default.createDirectory(
            atPath: self.path(path),
            withIntermediateDirectories: true
        )
    }

    func file(_ path: String, _ text: String) throws {
        try file(path, bytes: Array((text + "\n").utf8))
    }

    func file(_ path: String, bytes: [UInt8]) throws {
        try directory(path.split(separator: "/").dropLast().joined(separator: "/"))
        try Data(bytes).write(to: URL(fileURLWithPath: self.path(path)))
    }

    func link(_ path: String, _ target: String) throws {
        try directory(path.split(separator: "/").dropLast().joined(separator: "/"))
        try FileManager.default.createSymbolicLink(
            atPath: self.path(path),
            withDestinationPath: target
        )
    }

    func remove(_ path: String) { try? FileManager.default.removeItem(atPath: self.path(path)) }

    /// Takes a directory away whose number no later one may get.
    func bury(_ path: String) throws {
        try directory("buried")
        try FileManager.default.moveItem(
            atPath: self.path(path),
            toPath: self.path("buried/\(UUID().uuidString)")
        )
    }

    /// A device below `sys/devices`, with the links the kernel makes for it.
    func device(_ name: String, bus: String, driver: String?, group: String?) throws {
        let path = "sys/devices/\(name)"
        try directory(path)
        try link("\(path)/subsystem", "../../bus/\(bus)")
        try link("sys/bus/\(bus)/devices/\(name)", "../../../devices/\(name)")
        if let driver { try link("\(path)/driver", "../../bus/\(bus)/drivers/\(driver)") }
        if let group {
            try link("\(path)/iommu_group", "../../kernel/iommu_groups/\(group)")
            try link(
                "sys/kernel/iommu_groups/\(group)/devices/\(name)",
                "../../../../devices/\(name)"
            )
        }
    }

    /// The class entry and number of a device made by ``device(_:bus:driver:group:)``.
    func cdev(_ cdev: String, of name: String, number: String?) throws {
        let path = "sys/devices/\(name)/vfio-dev/\(cdev)"
        try directory(path)
        if let number { try file("\(path)/dev", number) }
        try link("sys/class/vfio-dev/\(cdev)", "../../devices/\(name)/vfio-dev/\(cdev)")
    }
}

/// A device id that is one.
func id(_ text: String) throws -> DeviceID { try #require(DeviceID(text)) }
