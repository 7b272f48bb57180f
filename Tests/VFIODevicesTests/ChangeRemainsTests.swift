import Glibc
import MigrationCore
import Synchronization
import SystemIO
import Testing

@testable import VFIODevices

@Suite("What is left of a change whose daemon died")
struct ChangeRemainsTests {
    private let name = BindableHost.address
    private var drivers: String { "sys/bus/pci/drivers" }
    private var path: String { "sys/devices/\(name)" }

    private func device() throws -> DeviceID { try id("pci-\(name)") }

    /// Makes a change whose writes end after so many: whether it came to its end.
    private func die(
        after count: Int,
        in change: DeviceChange,
        on host: BindableHost
    ) throws -> Bool {
        let made = Mutex(0)
        let writer = SysfsWriter { [kernel = host.kernel] text, path throws(Errno) in
            let isMade = made.withLock { made in
                made += 1
                return made <= count
            }
            guard isMade else { throw .io }
            do throws(SysfsRefusal) {
                try kernel.writer.set(path, to: text)
            } catch {
                throw error.errno
            }
        }
        let device = try host.device()
        do {
            try HostChanges(host.inventory, writer).make(change, of: device)
            return true
        } catch {
            return false
        }
    }

    private func settle(
        _ change: DeviceChange,
        from before: DevicePlace?,
        on host: BindableHost
    ) throws -> ChangeRemains? {
        try host.changes.settle(.change(change), of: device(), before: before)
    }

    private func refusal(
        _ change: DeviceChange,
        from before: DevicePlace?,
        on host: BindableHost
    ) throws -> Problem {
        try #require(throws: Problem.self) { try settle(change, from: before, on: host) }
    }

    @Test("after every write of a bind or an unbind, all is as it was before, or done")
    func everyWrite() throws {
        let changes: [(String, String, DeviceChange)] = [
            ("nvme", "", .bind(driver: "vfio-pci", isForced: false)),
            ("vfio-pci", "vfio-pci", .unbind(driver: nil, isForced: false)),
            ("vfio-pci", "vfio-pci", .unbind(driver: "nvme", isForced: false)),
        ]
        for (driver, override, change) in changes {
            for count in 0...3 {
                let host = try BindableHost(driver: driver, override: override)
                let before = try host.changes.place(of: device())
                #expect(before?.driver == driver)
                let isDone = try die(after: count, in: change, on: host)
                #expect(isDone == (count == 3))
                if change == changes[1].2, count == 2 {
                    try expectUnclear(change, from: before, on: host)
                    continue
                }
                let remains = try settle(change, from: before, on: host)
                let now = try host.changes.place(of: device())
                switch remains {
                case .untouched?: #expect(count == 0)
                case .takenBack(let told)?:
                    #expect(count == 1 || count == 2)
                    #expect(told.allSatisfy { $0.hasPrefix("Undone: ") }, "\(told)")
                case .complete?: #expect(isDone)
                case nil: Issue.record("\(change) after \(count) is of no device")
                }
                #expect((now == before) == !isDone, "\(change) after \(count)")
                // Looked at again there is nothing left to do.
                let again = try settle(change, from: before, on: host)
                #expect(again == (isDone ? .complete : .untouched))
            }
        }
    }

    /// Without a driver and an override it may be half unbound, or unbound where nothing takes it.
    private func expectUnclear(
        _ change: DeviceChange,
        from before: DevicePlace?,
        on host: BindableHost
    ) throws {
        let written = host.kernel.written
        let problem = try refusal(change, from: before, on: host)
        #expect(problem.code == .changeRefused)
        #expect(problem.detail.contains("no driver and no driver_override"))
        #expect(host.kernel.written == written)
    }

    @Test("a device that somebody else has changed since is left to them")
    func foreign() throws {
        let change = DeviceChange.bind(driver: "vfio-pci", isForced: false)
        let before = DevicePlace(driver: "nvme")
        for (driver, override) in [("other", ""), ("nvme", "other"), ("vfio-pci", "")] {
            let host = try BindableHost(driver: driver, override: override)
            let problem = try refusal(change, from: before, on: host)
            #expect(problem.code == .changeRefused)
            #expect(problem.facts.reasons == ["Somebody else has changed it since."])
            #expect(host.kernel.written == [])
        }
    }

    @Test("a driver that is gone, and a sibling that is in the way, leave it as it is")
    func dangers() throws {
        let change = DeviceChange.unbind(driver: "nvme", isForced: true)
        let before = DevicePlace(driver: "vfio-pci", driverOverride: "vfio-pci")
        let host = try BindableHost(driver: nil)
        try host.tree.device("0000:41:00.1", bus: "pci", driver: "nvme", group: "7")
        let problem = try refusal(change, from: before, on: host)
        #expect(problem.code == .forceRequired)
        #expect(problem.facts.reasons == ["0000:41:00.1 of its IOMMU group is on nvme."])
        let gone = DevicePlace(driver: "gone_vfio_pci", driverOverride: "vfio-pci")
        let other = try refusal(change, from: gone, on: host)
        #expect(other.code == .changeRefused)
        #expect(other.facts.reasons?.first == "The driver gone_vfio_pci is not loaded.")
        #expect(host.kernel.written == [])
    }

    @Test("whoever has the group open has its siblings: no driver of the host gets the device back")
    func heldGroup() throws {
        let host = try BindableHost(driver: nil, override: "vfio-pci")
        try host.tree.device("0000:41:00.1", bus: "pci", driver: "vfio-pci", group: "7")
        try host.tree.file("dev/vfio/7", "")
        let group = try FileDescriptor(opening: host.tree.path("dev/vfio/7"), O_RDWR)
        let change = DeviceChange.bind(driver: "vfio-pci", isForced: false)
        let problem = try refusal(change, from: DevicePlace(driver: "nvme"), on: host)
        #expect(problem.facts.reasons == ["0000:41:00.1 of its IOMMU group is in use."])
        #expect(host.kernel.written == [])
        #expect(group.raw >= 0)
    }

    @Test("what cannot be taken back is told with its file and errno")
    func failsToTakeBack() throws {
        let host = try BindableHost(driver: nil, override: "vfio-pci")
        host.kernel.refuse("\(drivers)/nvme/bind", name, with: .io)
        let change = DeviceChange.bind(driver: "vfio-pci", isForced: false)
        let remains = try settle(change, from: DevicePlace(driver: "nvme"), on: host)
        guard case .takenBack(let told)? = remains else {
            Issue.record("\(String(describing: remains))")
            return
        }
        #expect(told.first == "Undone: its driver_override is empty again.")
        #expect(told.last?.contains("drivers/nvme/bind: EIO") == true)
    }

    @Test("a device that is gone is nobody's")
    func gone() throws {
        let host = try BindableHost()
        let change = DeviceChange.unbind(driver: nil, isForced: false)
        let remains = try host.changes.settle(
            .change(change),
            of: id("pci-0000:42:00.0"),
            before: DevicePlace(driver: "vfio-pci")
        )
        #expect(remains == nil)
        #expect(try host.changes.place(of: id("pci-0000:42:00.0")) == nil)
    }

    @Test("after every write of a number of virtual functions it is the old one, or the new one")
    func functions() throws {
        let change = DeviceChange.virtualFunctions(count: 3, isProbed: false, isForced: false)
        for count in 0...3 {
            let host = try BindableHost(functionLimit: 4)
            for number in 0..<2 {
                let function = "0000:41:00.\(number + 1)"
                try host.tree.device(function, bus: "pci", driver: nil, group: "1\(number)")
                try host.tree.link("\(path)/virtfn\(number)", "../\(function)")
                try host.tree.link("sys/devices/\(function)/physfn", "../\(name)")
            }
            try host.tree.file("\(path)/sriov_numvfs", "2")
            let before = try #require(try host.changes.place(of: device()))
            #expect(before.functionCount == 2)
            #expect(before.isProbed == true)
            let isDone = try die(after: count, in: change, on: host)
            #expect(isDone == (count == 3))
            let remains = try settle(change, from: before, on: host)
            let now = try #require(try host.changes.place(of: device()))
            #expect(now.functionCount == (isDone ? 3 : 2), "after \(count)")
            #expect(now.isProbed == !isDone, "after \(count)")
            // Those that had gone are not had back, though their number is.
            #expect((now.functions == before.functions) == (count < 2), "after \(count)")
            #expect((now == before) == (count < 2), "after \(count)")
            #expect((remains == .untouched) == (count == 0))
            #expect((remains == .complete) == isDone)
        }
    }

    @Test("a number that somebody else set since, or another driver, is left alone")
    func foreignFunctions() throws {
        let change = DeviceChange.virtualFunctions(count: 3, isProbed: nil, isForced: false)
        let host = try BindableHost(functionLimit: 4)
        try host.tree.file("\(path)/sriov_numvfs", "4")
        var before = try #require(try host.changes.place(of: device()))
        before.functionCount = 2
        #expect(try refusal(change, from: before, on: host).code == .changeRefused)
        try host.tree.file("\(path)/sriov_numvfs", "0")
        before.driver = "other"
        #expect(try refusal(change, from: before, on: host).code == .changeRefused)
        #expect(host.kernel.written == [])
    }

    @Test("a mediated device that no driver took is removed, one that was there before is not")
    func mediated() throws {
        let uuid = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"
        let request = try #require(MediatedRequest(parent: "mtty", type: "mtty-2", uuid: uuid))
        let subject = try id("mdev-\(uuid)")
        let host = try BindableHost()
        let settle = { (before: DevicePlace?) throws in
            try host.changes.settle(.create(request), of: subject, before: before)
        }
        #expect(try settle(nil) == .untouched)
        let removal = AuditRecord.Action.change(.removal)
        #expect(try host.changes.settle(removal, of: subject, before: nil) == .complete)
        let place = "sys/devices/virtual/mtty/mtty/\(uuid)"
        try host.tree.file("\(place)/remove", "")
        try host.tree.link("sys/bus/mdev/devices/\(uuid)", "../../../../\(place)")
        #expect(host.changes.place(of: subject) == DevicePlace())
        #expect(try host.changes.settle(removal, of: subject, before: nil) == .untouched)
        #expect(try settle(DevicePlace()) == .untouched)
        // Of another parent, or of another type, it is somebody else's.
        let types = "sys/devices/virtual/mtty/mtty/mdev_supported_types"
        for (parent, type) in [("sys/devices/virtual/other", "mtty-2"), (types, "mtty-1")] {
            host.tree.remove("sys/class/mdev_bus/mtty")
            host.tree.remove("\(place)/mdev_type")
            let directory = parent == types ? SysfsPath.parent(types) : parent
            try host.tree.link("sys/class/mdev_bus/mtty", "../../../\(directory)")
            try host.tree.link("\(place)/mdev_type", "../mdev_supported_types/\(type)")
            let problem = try #require(throws: Problem.self) { try settle(nil) }
            #expect(problem.code == .changeRefused)
            #expect(problem.facts.reasons == ["Somebody else has changed it since."])
        }
        host.tree.remove("\(place)/mdev_type")
        try host.tree.link("\(place)/mdev_type", "../mdev_supported_types/mtty-2")
        #expect(host.kernel.written == [])
        #expect(try settle(nil) == .takenBack(["Undone: the device is removed again."]))
        #expect(host.kernel.written == ["\(place)/remove=1"])
    }
}
