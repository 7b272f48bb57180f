import MigrationCore
import SystemIO
import Testing

@testable import VFIODevices

@Suite("Binding and unbinding")
struct DriverBindingTests {
    private let name = BindableHost.address
    private var drivers: String { "sys/bus/pci/drivers" }
    private var override: String { "sys/devices/\(name)/driver_override" }

    @Test("a bind writes the override, unbinds and binds, in this order, and the override stays")
    func binds() throws {
        let host = try BindableHost()
        try host.make(.bind(driver: nil, isForced: false))
        #expect(host.kernel.driver(of: name) == "vfio-pci")
        #expect(host.kernel.override(of: name) == "vfio-pci")
        #expect(
            host.kernel.written == [
                "\(override)=vfio-pci\\n", "\(drivers)/nvme/unbind=\(name)",
                "\(drivers)/vfio-pci/bind=\(name)",
            ]
        )
    }

    @Test("a bind to the driver that has the device already writes nothing")
    func isThere() throws {
        let host = try BindableHost(driver: "vfio-pci", override: "vfio-pci")
        try host.make(.bind(driver: "vfio-pci", isForced: false))
        #expect(host.kernel.written == [])
    }

    @Test("an unbind takes the override away and lets the kernel find a driver")
    func unbinds() throws {
        let host = try BindableHost(driver: "vfio-pci", override: "vfio-pci")
        try host.make(.unbind(driver: nil, isForced: false))
        #expect(host.kernel.driver(of: name) == "nvme")
        #expect(host.kernel.override(of: name) == "")
        #expect(
            host.kernel.written == [
                "\(override)=\\n", "\(drivers)/vfio-pci/unbind=\(name)",
                "sys/bus/pci/drivers_probe=\(name)",
            ]
        )
    }

    @Test("an unbind of a device that the host has writes nothing")
    func hostHasIt() throws {
        let host = try BindableHost()
        try host.make(.unbind(driver: nil, isForced: false))
        #expect(host.kernel.written == [])
        let refusal = try host.refusal(.unbind(driver: "vfio_ccw", isForced: true))
        #expect(refusal.code == .changeRefused || refusal.code == .invalidField)
    }

    @Test("a bind that the new driver refuses is taken back, and says by which file and errno")
    func undoesBind() throws {
        let host = try BindableHost()
        host.kernel.refuse("\(drivers)/vfio-pci/bind", name, with: .busy)
        let problem = try host.refusal(.bind(driver: nil, isForced: false))
        #expect(problem.code == .kernelRefused)
        #expect(problem.facts.errno == .busy)
        #expect(problem.facts.operation == "write of /\(drivers)/vfio-pci/bind")
        #expect(
            problem.facts.reasons == [
                "Undone: its driver_override is empty again.", "Undone: nvme has it again.",
            ]
        )
        #expect(host.kernel.driver(of: name) == "nvme")
        #expect(host.kernel.override(of: name) == "")
    }

    @Test("an unbind that the host's driver refuses gives the device back to VFIO")
    func undoesUnbind() throws {
        let host = try BindableHost(driver: "vfio-pci", override: "vfio-pci")
        host.kernel.refuse("\(drivers)/nvme/bind", name, with: .noDevice)
        let problem = try host.refusal(.unbind(driver: "nvme", isForced: false))
        #expect(problem.code == .kernelRefused)
        #expect(problem.facts.errno == .noDevice)
        #expect(host.kernel.driver(of: name) == "vfio-pci")
        #expect(host.kernel.override(of: name) == "vfio-pci")
    }

    @Test("a device whose override names another driver than the one that has it gets both back")
    func undoesUnderOverride() throws {
        let host = try BindableHost(override: "other")
        host.kernel.refuse("\(drivers)/vfio-pci/bind", name, with: .busy)
        let problem = try host.refusal(.bind(driver: nil, isForced: false))
        #expect(
            problem.facts.reasons == [
                "Undone: its driver_override is other again.", "Undone: nvme has it again.",
            ]
        )
        #expect(host.kernel.driver(of: name) == "nvme")
        #expect(host.kernel.override(of: name) == "other")
    }

    @Test("and its override again where that driver does not take it any more")
    func failsToUndoUnderOverride() throws {
        let host = try BindableHost(override: "other")
        host.kernel.refuse("\(drivers)/vfio-pci/bind", name, with: .busy)
        host.kernel.refuse("\(drivers)/nvme/bind", name, with: .io)
        let problem = try host.refusal(.bind(driver: nil, isForced: false))
        #expect(problem.facts.reasons?.last?.contains("\(drivers)/nvme/bind: EIO") == true)
        #expect(host.kernel.driver(of: name) == nil)
        #expect(host.kernel.override(of: name) == "other")
    }

    @Test("what could not be taken back is told, with its file and errno")
    func failsToUndo() throws {
        let host = try BindableHost()
        host.kernel.refuse("\(drivers)/vfio-pci/bind", name, with: .invalid)
        host.kernel.refuse("\(drivers)/nvme/bind", name, with: .io)
        let problem = try host.refusal(.bind(driver: nil, isForced: false))
        #expect(problem.facts.errno == .invalid)
        let reasons = try #require(problem.facts.reasons)
        #expect(reasons.first == "Undone: its driver_override is empty again.")
        #expect(reasons.last?.contains("\(drivers)/nvme/bind: EIO") == true)
        #expect(reasons.last?.hasPrefix("Not undone") == true)
    }

    @Test("nothing is written for a driver that is no name, is not VFIO's or is not loaded")
    func badDrivers() throws {
        let host = try BindableHost()
        for driver in ["../nvme", "vfio-pci/../nvme", "", "vfio pci", "vfio-pci\n", "nvme"] {
            let problem = try host.refusal(.bind(driver: driver, isForced: true))
            #expect(problem.code == .invalidField, "\(driver)")
            #expect(problem.facts.pointer == "/driver")
        }
        let problem = try host.refusal(.bind(driver: "mlx5_vfio_pci", isForced: true))
        #expect(problem.code == .changeRefused)
        #expect(problem.facts.reasons == ["The driver mlx5_vfio_pci is not loaded."])
        #expect(host.kernel.written == [])
    }

    @Test("a sibling on a driver of the host wants force, and force has it")
    func siblings() throws {
        let host = try BindableHost()
        try host.tree.device("0000:41:00.1", bus: "pci", driver: "nvme", group: "7")
        let problem = try host.refusal(.bind(driver: nil, isForced: false))
        #expect(problem.code == .forceRequired)
        #expect(problem.facts.reasons?.count == 1)
        #expect(problem.facts.reasons?.first?.hasPrefix("0000:41:00.1 of its IOMMU group") == true)
        #expect(host.kernel.written == [])
        try host.make(.bind(driver: nil, isForced: true))
        #expect(host.kernel.driver(of: name) == "vfio-pci")
    }

    @Test("a function with virtual ones is not rebound, forced or not")
    func virtualFunctions() throws {
        let host = try BindableHost(functionLimit: 2)
        try host.tree.link("sys/devices/\(name)/virtfn0", "../0000:41:00.2")
        let problem = try host.refusal(.bind(driver: nil, isForced: true))
        #expect(problem.code == .changeRefused)
        #expect(problem.facts.reasons?.first?.contains("0000:41:00.2") == true)
        #expect(host.kernel.written == [])
    }

    @Test("a device without a group is not bound, forced or not")
    func withoutIOMMU() throws {
        let host = try BindableHost()
        let device = try host.device()
        host.tree.remove("sys/devices/\(name)/iommu_group")
        #expect(try host.inventory.device(id("pci-\(name)")) == nil)
        var record = device.record
        record.iommuGroup = nil
        let alone = SysfsDevice(record: record, directory: device.directory, cdevNumber: nil)
        let problem = try #require(throws: Problem.self) {
            try host.changes.make(.bind(driver: nil, isForced: true), of: alone)
        }
        #expect(problem.facts.reasons == ["There is no IOMMU before it."])
    }

    @Test("a function that can have virtual ones is listed, one the host just uses is only found")
    func candidates() throws {
        let plain = try BindableHost()
        #expect(plain.inventory.devices().isEmpty)
        #expect(try plain.device().record.candidate?.kind == .host)
        let parent = try BindableHost(functionLimit: 4)
        #expect(parent.inventory.devices().map(\.record.candidate?.kind) == [.parent])
        #expect(try parent.device().record.candidate?.steps == [])
    }
}

@Suite("Writing to a confined tree")
struct ConfinedWriteTests {
    @Test("a write replaces an attribute by one call, and never goes by a link or makes a file")
    func writes() throws {
        let tree = try SysfsTree()
        try tree.file("sys/a", "old!")
        try tree.file("outside", "kept")
        try tree.directory("sys/bus")
        try tree.link("sys/link", "../outside")
        try tree.link("linked", "sys")
        let confined = try ConfinedTree(root: tree.path("sys"))
        try confined.write("new", to: "a")
        #expect(try BoundedFile.text(at: tree.path("sys/a")) == "new!")
        #expect(throws: Errno(number: 40)) { try confined.write("x", to: "link") }
        #expect(throws: Errno(number: 18)) { try confined.write("x", to: "../outside") }
        #expect(throws: Errno(number: 18)) { try confined.write("x", to: tree.path("sys/a")) }
        #expect(throws: Errno.noEntry) { try confined.write("x", to: "none") }
        #expect(throws: Errno(number: 21)) { try confined.write("x", to: "bus") }
        #expect(try BoundedFile.text(at: tree.path("outside")) == "kept")
        let above = try ConfinedTree(root: tree.root)
        #expect(throws: Errno(number: 40)) { try above.write("x", to: "linked/a") }
    }
}
