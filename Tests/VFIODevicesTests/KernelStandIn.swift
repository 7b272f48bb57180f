import Glibc
import MigrationCore
import Synchronization
import SystemIO
import Testing

@testable import VFIODevices

/// What the kernel makes of writes to a tree of ours: it moves the links of drivers, and refuses
/// what it is told to.
///
/// The writes themselves land in the tree's files too, by the way every write takes.
final class KernelStandIn: Sendable {
    private struct State {
        var written: [String] = []
        var refusals: [String: Errno] = [:]
    }

    let sysfs: SysfsTree
    private let tree: ConfinedTree
    /// The drivers that take a device without an override.
    private let native: [String: String]
    /// Guards what was written and what is to be refused; a leaf.
    private let state = Mutex(State())

    init(_ sysfs: SysfsTree, native: [String: String] = [:]) throws {
        self.sysfs = sysfs
        self.native = native
        tree = try ConfinedTree(root: sysfs.root)
    }

    /// `path=text`, in order; line ends as `\n`.
    var written: [String] { state.withLock { $0.written } }

    var writer: SysfsWriter {
        SysfsWriter { [self] text, path throws(Errno) in try take(text, path) }
    }

    /// Refuses writes of a text to a path from now on.
    func refuse(_ path: String, _ text: String, with errno: Errno) {
        state.withLock { $0.refusals["\(path)=\(text)"] = errno }
    }

    func driver(of device: String) -> String? {
        tree.linkTargetIfAny("driver", in: "sys/devices/\(device)").flatMap(SysfsPath.lastName)
    }

    func override(of device: String) -> String? {
        tree.textIfAny("driver_override", in: "sys/devices/\(device)")
    }

    /// A driver of a bus, with the files that are written to.
    func driver(_ driver: String, bus: String) throws {
        for file in ["bind", "unbind"] {
            try sysfs.file("sys/bus/\(bus)/drivers/\(driver)/\(file)", "")
        }
        try sysfs.file("sys/bus/\(bus)/drivers_probe", "")
    }

    private func take(_ text: String, _ path: String) throws(Errno) {
        let plain = text.split(separator: "\n", omittingEmptySubsequences: true).joined()
        let refusal = state.withLock { state in
            state.written.append("\(path)=\(text.map { $0 == "\n" ? "\\n" : "\($0)" }.joined())")
            return state.refusals["\(path)=\(plain)"]
        }
        if let refusal { throw refusal }
        // Over what was there, as an attribute shows its last value.
        _ = unsafe truncate(sysfs.path(path), 0)
        try tree.write(text, to: path)
        let parts = path.split(separator: "/").map(String.init)
        switch parts.last {
        case "unbind": sysfs.remove("sys/devices/\(plain)/driver")
        case "bind": try attach(plain, to: parts[parts.count - 2])
        case "drivers_probe":
            let override = override(of: plain) ?? ""
            if let driver = override.isEmpty ? native[plain] : override {
                try attach(plain, to: driver)
            }
        case "sriov_numvfs": try setFunctions(Int(plain) ?? 0, below: parts.dropLast())
        default: break
        }
    }

    /// All go, and others come in their place.
    private func setFunctions(_ count: Int, below parts: ArraySlice<String>) throws(Errno) {
        let physical = parts.joined(separator: "/")
        do {
            for link in tree.links(in: physical, where: { $0.hasPrefix("virtfn") }) {
                sysfs.remove("\(physical)/\(link.name)")
                try sysfs.bury(SysfsPath.resolve(link.target, in: physical))
            }
            for number in 0..<count {
                let function = "0000:41:00.\(number + 1)"
                try sysfs.directory("sys/devices/\(function)")
                try sysfs.link("\(physical)/virtfn\(number)", "../\(function)")
            }
        } catch { throw .io }
    }

    private func attach(_ device: String, to driver: String) throws(Errno) {
        let override = override(of: device) ?? ""
        let isTaken = override.isEmpty ? native[device] == driver : override == driver
        guard isTaken else { throw .noDevice }
        do {
            try sysfs.link("sys/devices/\(device)/driver", "../../bus/pci/drivers/\(driver)")
        } catch { throw .exists }
    }
}

/// A host with a physical function on nvme, with what its directory tells.
struct BindableHost {
    let kernel: KernelStandIn
    let tree: SysfsTree
    let inventory: SysfsInventory

    static let address = "0000:41:00.0"

    init(driver: String? = "nvme", override: String = "", functionLimit: Int = 0) throws {
        let tree = try SysfsTree()
        self.tree = tree
        let name = Self.address
        try tree.device(name, bus: "pci", driver: driver, group: "7")
        let path = "sys/devices/\(name)"
        try tree.file("\(path)/uevent", "PCI_CLASS=10802\nPCI_ID=1B36:0010")
        try tree.file("\(path)/driver_override", override)
        if functionLimit > 0 {
            try tree.file("\(path)/sriov_totalvfs", "\(functionLimit)")
            try tree.file("\(path)/sriov_numvfs", "0")
            try tree.file("\(path)/sriov_drivers_autoprobe", "1")
        }
        kernel = try KernelStandIn(tree, native: [name: "nvme"])
        try kernel.driver("nvme", bus: "pci")
        try kernel.driver("vfio-pci", bus: "pci")
        inventory = try SysfsInventory(root: tree.root, deviceDirectory: "\(tree.root)/dev")
    }

    var changes: HostChanges { HostChanges(inventory, kernel.writer) }

    func device() throws -> SysfsDevice {
        try #require(try inventory.device(id("pci-\(Self.address)")))
    }

    /// What a change is refused with.
    func refusal(_ change: DeviceChange) throws -> Problem {
        let device = try device()
        return try #require(throws: Problem.self) { try changes.make(change, of: device) }
    }

    func make(_ change: DeviceChange) throws { try changes.make(change, of: device()) }
}
