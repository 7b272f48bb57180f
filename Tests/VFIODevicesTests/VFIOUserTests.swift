import Glibc
import MigrationCore
import MigrationPorts
import SystemIO
import Testing

@testable import VFIODevices

@Suite("vfio-user devices of the configuration")
struct VFIOUserSocketTests {
    @Test("a name and a path make a device; a path may hold what a name may not")
    func parsed() throws {
        let path = "/" + String(repeating: "p", count: 106)
        let sockets = try VFIOUserSocket.parse([
            "net0=/run/vm 7/a=b.sock", "\(String(repeating: "n", count: 119))=\(path)",
        ])
        #expect(sockets.first?.device.text == "vfiouser-net0")
        #expect(sockets.first?.path == "/run/vm 7/a=b.sock")
        #expect(sockets.last?.path == path)
        #expect(sockets.last?.device.text.utf8.count == 128)
    }

    @Test("paths are of bytes: equal texts are several, and a mark leaves a slash a slash")
    func bytes() throws {
        let sockets = try VFIOUserSocket.parse(["a=/\u{e9}", "b=/e\u{301}", "c=/d/\u{301}"])
        #expect(Set(sockets.map { Array($0.path.utf8) }).count == 3)
        for path in ["/x/\u{301}/../y", "/\u{301}//y"] {
            #expect(throws: Problem.self) { try VFIOUserSocket.parse(["a=\(path)"]) }
        }
    }

    @Test(
        "what is wrong is refused with what it is",
        arguments: [
            (["net0"], "NAME=PATH"), ([""], "NAME=PATH"), (["=/a"], "a name is"),
            (["a/b=/a"], "a name is"), (["a b=/a"], "a name is"), (["\u{e9}=/a"], "a name is"),
            ([String(repeating: "n", count: 120) + "=/a"], "a name is"),
            (["a="], "begins with /"), (["a=run/x"], "begins with /"),
            (["a=/" + String(repeating: "p", count: 107)], "this one has 108"),
            (["a=/" + String(repeating: "\u{e9}", count: 54)], "this one has 109"),
            (["a=/x\u{0}y"], "control"), (["a=/x\n"], "control"), (["a=/\u{9b}"], "control"),
            (["a=/\u{fffd}"], "control"),
            (["a=/"], "empty parts"), (["a=//x"], "empty parts"), (["a=/x/"], "empty parts"),
            (["a=/./x"], "empty parts"), (["a=/run/../x"], "empty parts"),
            (["a=/x", "a=/y"], "this name"), (["a=/x", "b=/x"], "this path"),
            ((0...256).map { "n\($0)=/x\($0)" }, "257 devices"),
        ] as [([String], String)]
    )
    func refused(texts: [String], reason: String) {
        let problem = #expect(throws: Problem.self) { try VFIOUserSocket.parse(texts) }
        #expect(problem?.code == .invalidField)
        #expect(problem?.detail.contains("vfio_user") == true)
        #expect(problem?.detail.contains(reason) == true, "\(problem?.detail ?? "")")
        #expect(problem?.detail.contains { $0.isNewline } == false)
    }
}

@Suite("The sockets of vfio-user devices", .timeLimit(.minutes(2)))
struct VFIOUserBackendTests {
    let tree: SysfsTree

    init() throws { tree = try SysfsTree() }

    private func backend(_ names: String...) throws -> VFIOUserBackend {
        let sockets = names.enumerated().map { "\($0.offset)=\(tree.path($0.element))" }
        return VFIOUserBackend(try VFIOUserSocket.parse(sockets))
    }

    private func makeSocket(_ name: String, mode: mode_t = 0o600) throws {
        try succeed(unsafe mknod(tree.path(name), S_IFSOCK | 0o600, 0))
        try succeed(unsafe chmod(tree.path(name), mode))
    }

    private func succeed(_ result: Int32) throws { try #require(result == 0) }

    private func move(_ name: String, to other: String) throws {
        try succeed(unsafe rename(tree.path(name), tree.path(other)))
    }

    @Test("each is listed with what its path leads to, and no link is followed to it")
    func facts() throws {
        try tree.file("file", "")
        try tree.link("loop", "loop")
        try makeSocket("socket", mode: 0o1660)
        try tree.link("link", "socket")
        let names = [
            "file/below", "link", "loop/below", "missing", "none/missing", "socket", "file",
        ]
        let sockets = names.enumerated().map { "\($0.offset)=\(tree.path($0.element))" }
        // Listed by id, whatever the order they were named in.
        let backend = VFIOUserBackend(try VFIOUserSocket.parse(sockets.reversed()))
        let present = SocketFacts.present(permissions: 0o1660, owner: getuid(), group: getgid())
        let records = backend.devices()
        #expect(
            records.map(\.socket) == [
                .missing, .notASocket, .unreadable(Errno(number: ELOOP)), .missing, .missing,
                present, .notASocket,
            ]
        )
        #expect(records.map(\.address) == names.map(tree.path))
        #expect(records.map(\.id.text) == names.indices.map { "vfiouser-\($0)" })
        for record in records {
            #expect(backend.device(record.id) == record)
            #expect(record.support == .unknown && record.listedOnly != nil)
        }
        #expect(backend.device(try #require(DeviceID("vfiouser-7"))) == nil)
        #expect(VFIOUserBackend([]).devices().isEmpty)
    }

    @Test("a socket that comes, changes and goes is told of, as are directories on its way")
    func comesAndGoes() async throws {
        let backend = try backend("run/vm/net.sock")
        let id = try #require(DeviceID("vfiouser-0"))
        let (changes, continuation) = AsyncStream.makeStream(of: DeviceChanges.self)
        backend.observe { changes in
            continuation.yield(changes)
            return true
        }
        backend.lookNow()
        var told = changes.makeAsyncIterator()
        /// Does something, and gives what is listed once that is told.
        func after(_ work: () throws -> Void) async throws -> SocketFacts? {
            try work()
            #expect(await told.next() == DeviceChanges(gone: [], changed: [id]))
            return backend.device(id)?.socket
        }
        func present(_ permissions: UInt32) -> SocketFacts {
            .present(permissions: permissions, owner: getuid(), group: getgid())
        }
        try tree.directory("run/vm")
        try tree.directory("run/other")
        #expect(try await after { try makeSocket("run/vm/net.sock") } == present(0o600))
        #expect(
            try await after { try succeed(unsafe chmod(tree.path("run/vm/net.sock"), 0o666)) }
                == present(0o666)
        )
        #expect(try await after { try move("run/vm", to: "run/moved") } == .missing)
        #expect(try await after { try move("run/moved", to: "run/vm") } == present(0o666))
        #expect(try await after { tree.remove("run/vm/net.sock") } == .missing)
        #expect(try await after { try makeSocket("run/vm/net.sock") } == present(0o600))
        #expect(try await after { tree.remove("run") } == .missing)
        continuation.finish()
        #expect(await told.next() == nil)
    }

    @Test("whatever else is asked of one is refused, with the reason")
    func refusals() throws {
        let backend = try backend("x")
        let id = try #require(DeviceID("vfiouser-0"))
        let adoption = #expect(throws: Problem.self) {
            let device = try FileDescriptor(opening: "/dev/null", O_RDONLY)
            let descriptors = DeviceDescriptors(.group, try device.duplicate(), device)
            return try backend.adopt(id, descriptors)
        }
        let opening = #expect(throws: Problem.self) { try backend.open(id, joining: nil) }
        let probe = #expect(throws: Problem.self) { try backend.probe(id) }
        let resumption = #expect(throws: Problem.self) { try backend.resume(id, []) }
        for problem in [adoption, opening, probe, resumption] {
            #expect(problem?.code == .notMigratable)
            #expect(problem?.facts.reasons == [backend.device(id)?.listedOnly ?? ""])
        }
        let change = #expect(throws: Problem.self) { try backend.change(id, .removal) }
        #expect(change?.code == .changeRefused)
        #expect(change?.facts.device == id)
    }
}

@Suite("What the kernel tells of names in directories")
struct DirectoryEventTests {
    @Test("names that are watched for are heard of, others not")
    func names() throws {
        let tree = try SysfsTree()
        try tree.directory("here/below")
        try tree.link("way", "here")
        let events = try DirectoryEvents()
        let entry = DirectoryEvents.Entry(directory: tree.path("way"), name: "x")
        let same = DirectoryEvents.Entry(directory: tree.path("here"), name: "y")
        let none = DirectoryEvents.Entry(directory: tree.path("none"), name: "x")
        events.watch([entry, same, none])
        #expect(!events.receive(limit: 9))
        try tree.file("here/z", "")
        try tree.file("here/below/x", "")
        #expect(!events.receive(limit: 9))
        for name in ["x", "y"] {
            try tree.file("here/\(name)", "")
            #expect(events.receive(limit: 9), "\(name)")
            tree.remove("here/\(name)")
            #expect(events.receive(limit: 9), "\(name)")
            #expect(!events.receive(limit: 9))
        }
        events.watch([same])
        try tree.file("here/x", "")
        #expect(!events.receive(limit: 9))
        tree.remove("here")
        #expect(events.receive(limit: 9))
        events.watch([])
        #expect(!events.receive(limit: 9))
    }

    @Test("directories whose names are equal texts of other bytes are watched each")
    func bytes() throws {
        let tree = try SysfsTree()
        let names = ["\u{e9}", "e\u{301}"]
        let events = try DirectoryEvents()
        for name in names { try tree.directory(name) }
        events.watch(names.map { .init(directory: tree.path($0), name: "x") })
        for name in names {
            try tree.file("\(name)/x", "")
            #expect(events.receive(limit: 9))
        }
    }

    @Test("events that the kernel had no room for are worth a look")
    func overflow() throws {
        let tree = try SysfsTree()
        try tree.directory("here")
        let events = try DirectoryEvents()
        events.watch([.init(directory: tree.path("here"), name: "x")])
        let limit = try BoundedFile.text(at: "/proc/sys/fs/inotify/max_queued_events")
        let count = try #require(Int(limit))
        for number in 0...(count / 2) {
            let path = tree.path("here/\(number)")
            guard unsafe mknod(path, S_IFSOCK | 0o600, 0) == 0, unsafe unlink(path) == 0 else {
                Issue.record("\(Errno(number: errno))")
                return
            }
        }
        #expect(events.receive(limit: 1_000_000))
    }
}
