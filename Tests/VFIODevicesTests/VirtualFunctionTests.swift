import MigrationCore
import SystemIO
import Testing

@testable import VFIODevices

@Suite("The number of virtual functions")
struct VirtualFunctionTests {
    private let path = "sys/devices/\(BindableHost.address)"

    private func host(functions: Int = 0) throws -> BindableHost {
        let host = try BindableHost(functionLimit: 4)
        for number in 0..<functions {
            let name = "0000:41:00.\(number + 1)"
            try host.tree.device(name, bus: "pci", driver: nil, group: "1\(number)")
            try host.tree.link("\(path)/virtfn\(number)", "../\(name)")
            try host.tree.link("sys/devices/\(name)/physfn", "../\(BindableHost.address)")
            try host.tree.file("sys/devices/\(name)/class", "0x010802")
        }
        try host.tree.file("\(path)/sriov_numvfs", "\(functions)")
        return host
    }

    private func set(_ count: Int, isProbed: Bool? = nil, isForced: Bool = false) -> DeviceChange {
        .virtualFunctions(count: count, isProbed: isProbed, isForced: isForced)
    }

    @Test("is written after whether they are probed")
    func sets() throws {
        let host = try host()
        try host.make(set(2, isProbed: false))
        #expect(
            host.kernel.written == ["\(path)/sriov_drivers_autoprobe=0", "\(path)/sriov_numvfs=2"]
        )
    }

    @Test("goes from one to another by way of 0, and not at all when it is the same")
    func changes() throws {
        let host = try host(functions: 2)
        try host.make(set(2))
        #expect(host.kernel.written == [])
        try host.make(set(3))
        #expect(host.kernel.written == ["\(path)/sriov_numvfs=0", "\(path)/sriov_numvfs=3"])
    }

    @Test("is had back when the new one is refused, and whether they are probed with it")
    func undoes() throws {
        let host = try host(functions: 2)
        host.kernel.refuse("\(path)/sriov_numvfs", "4", with: .noMemory)
        let device = try host.device().record.id
        let before = try #require(host.changes.place(of: device))
        let problem = try host.refusal(set(4, isProbed: false))
        #expect(problem.code == .kernelRefused)
        // As many, but not those that were there.
        let after = try #require(host.changes.place(of: device))
        #expect(after.functionCount == before.functionCount)
        #expect(after.isProbed == before.isProbed)
        #expect(before.functions != nil)
        #expect(after.functions != nil)
        #expect(after != before)
        #expect(problem.facts.errno == .noMemory)
        #expect(problem.facts.operation == "write of /\(path)/sriov_numvfs")
        #expect(
            problem.facts.reasons == [
                "Undone: sriov_drivers_autoprobe is 1 again.", "Undone: sriov_numvfs is 2 again.",
                "The virtual functions are new: each has the driver the kernel finds for it.",
            ]
        )
        #expect(host.kernel.written.last == "\(path)/sriov_numvfs=2")
    }

    @Test("a number that was not touched leaves the virtual functions as they were")
    func untouched() throws {
        let host = try host(functions: 2)
        host.kernel.refuse("\(path)/sriov_numvfs", "0", with: .busy)
        let device = try host.device().record.id
        let before = host.changes.place(of: device)
        #expect(try host.refusal(set(4)).code == .kernelRefused)
        #expect(host.changes.place(of: device) == before)
    }

    @Test("is refused beyond the limit, and for a function that can have none")
    func limits() throws {
        for count in [-1, 5] {
            let problem = try host().refusal(set(count))
            #expect(problem.code == .invalidField)
            #expect(problem.facts.pointer == "/count")
        }
        let problem = try BindableHost().refusal(set(1))
        #expect(problem.code == .changeRefused)
        #expect(problem.facts.reasons?.count == 1)
    }

    @Test("wants force when the host uses one of those that go")
    func hostUse() throws {
        let host = try host(functions: 1)
        let net = "sys/devices/0000:41:00.1/net/vf0"
        try host.tree.file("\(net)/flags", "0x1")
        try host.tree.link("sys/class/net/vf0", "../../../\(net)")
        let problem = try host.refusal(set(0))
        #expect(problem.code == .forceRequired)
        #expect(problem.facts.reasons == ["0000:41:00.1: Its network interface vf0 is up."])
        #expect(host.kernel.written == [])
        try host.make(set(0, isForced: true))
        #expect(host.kernel.written == ["\(path)/sriov_numvfs=0"])
    }
}

@Suite("Making and removing mediated devices")
struct MediatedTypeTests {
    private let types = "sys/devices/virtual/mtty/mtty/mdev_supported_types"
    private let uuid = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"
    private let tree: SysfsTree
    private let inventory: SysfsInventory

    init() throws {
        tree = try SysfsTree()
        try tree.link("sys/class/mdev_bus/mtty", "../../devices/virtual/mtty/mtty")
        try tree.file("\(types)/mtty-2/name", "Dual port serial")
        try tree.file("\(types)/mtty-2/device_api", "vfio-pci")
        try tree.file("\(types)/mtty-2/available_instances", "12")
        try tree.file("\(types)/mtty-2/create", "")
        try tree.directory("\(types)/mtty-1")
        inventory = try SysfsInventory(root: tree.root, deviceDirectory: "/dev")
    }

    private func request(_ type: String, _ parent: String = "mtty") throws -> MediatedRequest {
        try #require(MediatedRequest(parent: parent, type: type, uuid: uuid))
    }

    @Test("every type of every parent is told, with what it says of itself")
    func lists() throws {
        let types = HostChanges(inventory).types()
        #expect(types.map(\.type) == ["mtty-1", "mtty-2"])
        #expect(types[0].availableCount == nil)
        #expect(types[1].parent == "mtty")
        #expect(types[1].name == "Dual port serial")
        #expect(types[1].deviceAPI == "vfio-pci")
        #expect(types[1].availableCount == 12)
    }

    @Test("a parent or type that is none writes nothing")
    func unknown() throws {
        let writer = SysfsWriter { _, _ throws(Errno) in throw .io }
        let changes = HostChanges(inventory, writer)
        for parent in ["other", "..", "mtty/../mtty"] {
            #expect(try changes.create(request("mtty-2", parent)) == nil)
        }
        for type in ["mtty-3", "..", "mtty-2/.", ""] {
            let problem = try #require(throws: Problem.self) {
                try changes.create(request(type))
            }
            #expect(problem.code == .invalidField)
            #expect(problem.facts.pointer == "/type")
        }
    }

    @Test("the UUID goes to the type's create, and what it refuses is told by name")
    func refused() throws {
        for (errno, name) in [(17, "EEXIST"), (87, "EUSERS"), (22, "EINVAL")] as [(Int32, String)] {
            let writer = SysfsWriter { [uuid, types] text, path throws(Errno) in
                guard text == uuid, path == "\(types)/mtty-2/create" else { throw .io }
                throw Errno(number: errno)
            }
            let problem = try #require(throws: Problem.self) {
                try HostChanges(inventory, writer).create(request("mtty-2"))
            }
            #expect(problem.code == .kernelRefused)
            #expect(problem.facts.errno?.name == name)
            #expect(problem.facts.device?.text == "mdev-\(uuid)")
        }
    }

    @Test("a device that no driver of VFIO took is removed again")
    func undoes() throws {
        let place = "sys/devices/virtual/mtty/mtty/\(uuid)"
        try tree.file("\(place)/remove", "")
        let changes = HostChanges(
            inventory,
            SysfsWriter { [tree, inventory] text, path throws(Errno) in
                try inventory.tree.write(text, to: path)
                guard path.hasSuffix("/create") else { return }
                do {
                    try tree.link("sys/bus/mdev/devices/\(text)", "../../../../\(place)")
                } catch { throw .io }
            }
        )
        let problem = try #require(throws: Problem.self) {
            try changes.create(request("mtty-2"))
        }
        #expect(problem.facts.reasons == ["Undone: the device is removed again."])
        #expect(try BoundedFile.text(at: tree.path("\(place)/remove")) == "1")
    }

    @Test("a name that is made up is a UUID of version 4, and another one each time")
    func uuids() throws {
        let one = MediatedRequest(parent: "p", type: "t")
        let other = MediatedRequest(parent: "p", type: "t")
        #expect(one.uuid != other.uuid)
        #expect(MediatedRequest.canonical(one.uuid) == one.uuid)
        let parts = one.uuid.split(separator: "-")
        #expect(parts[2].first == "4")
        #expect(parts[3].first.map { "89ab".contains($0) } == true)
        let upper = MediatedRequest(parent: "p", type: "t", uuid: uuid.uppercased())
        #expect(upper?.uuid == uuid)
        let bad = ["", "83b8f4f2509f382f3c1ee6bfe0fa1001", uuid + "\n", "../../etc", "é\(uuid)"]
        for text in bad { #expect(MediatedRequest.canonical(text) == nil) }
    }
}
