import Foundation
import Glibc
import MigrationCore
import SystemIO
import Testing

@testable import VFIODevices

/// Whole trees of kernels that ran, packed beside what their inventory must be.
///
/// `FERRY_WRITE_INVENTORIES=1` writes what was found in place of what was expected, for a person to
/// read before it is committed.
@Suite("The inventory of whole captured trees")
struct CapturedTreeTests {
    static let names = ["sysfs-x86", "sysfs-s390x", "sysfs-s390x-ap-synthetic", "sysfs-aarch64"]

    @Test("every device is listed with every fact", arguments: names)
    func inventory(name: String) throws {
        let tree = try SysfsTree(packed: name)
        let inventory = try SysfsInventory(
            root: tree.root,
            deviceDirectory: "/dev",
            hardware: HardwareIndex(places: [try Self.fixture("pci", "ids")])
        )
        let found = inventory.devices().map(\.record).map(Self.text).joined()
        let path = try Self.fixture(name, "inventory")
        if ProcessInfo.processInfo.environment["FERRY_WRITE_INVENTORIES"] != nil {
            let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appendingPathComponent("Fixtures/captured/\(name).inventory")
            try Data(found.utf8).write(to: source)
        }
        let expected = try BoundedFile.text(at: path)
        #expect(found.split(separator: "\n") == expected.split(separator: "\n"))
    }

    @Test("a device found by its id is the one the list shows", arguments: names)
    func lookUp(name: String) throws {
        let tree = try SysfsTree(packed: name)
        let inventory = try SysfsInventory(root: tree.root, deviceDirectory: "/dev")
        let devices = inventory.devices()
        #expect(!devices.isEmpty)
        for device in devices { #expect(inventory.device(device.record.id) == device) }
    }

    private static func fixture(_ name: String, _ type: String) throws -> String {
        try #require(
            Bundle.module.path(forResource: name, ofType: type, inDirectory: "Fixtures/captured")
        )
    }

    /// A fact a line, those that are missing left out.
    private static func text(of record: DeviceRecord) -> String {
        var lines = [record.id.text]
        func add(_ name: String, _ fact: (some Any)?) {
            if let fact { lines.append("  \(name): \(fact)") }
        }
        add("address", "\(record.bus.rawValue) \(record.address)")
        add("api", record.deviceAPI)
        add("driver", record.driver)
        add("cdev", record.cdevPath)
        add("group", record.groupPath)
        add("isolation", record.isolation.map { "\(record.iommuGroup ?? "") \(text(of: $0))" })
        add("numa node", record.numaNode)
        if let vendor = record.vendorID, let device = record.deviceID {
            add("ids", "\(String(vendor, radix: 16)):\(String(device, radix: 16))")
        }
        add("vendor", record.names?.vendor)
        add("device", record.names?.device)
        add("class", record.names?.deviceClass)
        add("pci", record.pci.map(text))
        add("mdev", record.mediated.map { "\($0.parent) \($0.type ?? "-") \($0.typeName ?? "-")" })
        add("subchannel", record.subchannel.map(text))
        add("queues", record.matrix?.queues.joined(separator: " "))
        add("guest sees", record.matrix?.guestQueues.joined(separator: " "))
        add("control domains", record.matrix?.controlDomains.joined(separator: " "))
        add("candidate for", record.candidate?.driver)
        for step in record.candidate?.steps ?? [] { add("to do", step) }
        let flags = record.support.flags?.names.joined(separator: ",") ?? ""
        add("migration", "\(record.support.kind) \(flags) \(record.supportSource?.name ?? "-")")
        return lines.map { $0 + "\n" }.joined()
    }

    private static func text(of group: IsolationFacts) -> String {
        let siblings = group.siblings.map {
            " \($0.address)(\($0.driver ?? "-")\($0.isBlocking ? ", blocking" : ""))"
        }
        return
            "\(group.kind ?? "-") \(group.isViable ? "viable" : "not viable")\(siblings.joined())"
    }

    private static func text(of pci: PCIFacts) -> String {
        let role =
            switch pci.role {
            case .plain: ""
            case .physical(let limit, let functions): " physical \(functions) of \(limit)"
            case .virtual(let physical): " virtual of \(physical)"
            }
        let code = pci.classCode.map { String($0, radix: 16) } ?? "-"
        return "\(code) \(pci.powerState ?? "-") \(pci.resetMethods)\(role)"
    }

    private static func text(of subchannel: SubchannelFacts) -> String {
        let masks = [
            subchannel.installedMask, subchannel.availableMask, subchannel.operationalMask,
        ].map { String($0, radix: 16) }
        return "\(subchannel.address) \(subchannel.deviceNumber ?? "-") "
            + "\(subchannel.paths.joined(separator: " ")) \(masks.joined(separator: "/"))"
    }
}

extension SysfsTree {
    /// A whole captured tree.
    convenience init(packed name: String) throws {
        try self.init()
        let archive = try #require(
            Bundle.module.path(
                forResource: name,
                ofType: "tar.gz",
                inDirectory: "Fixtures/captured"
            )
        )
        let words = ["tar", "-xzf", archive, "-C", root]
        var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
        defer { unsafe release(arguments) }
        var process: pid_t = 0
        try #require(unsafe posix_spawnp(&process, "tar", nil, nil, &arguments, environ) == 0)
        var status: Int32 = 0
        try #require(unsafe waitpid(process, &status, 0) == process && status == 0)
    }
}

private func release(_ words: [UnsafeMutablePointer<CChar>?]) {
    for index in unsafe words.indices { unsafe free(words[index]) }
}
