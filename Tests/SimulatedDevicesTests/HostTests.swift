import BackendConformance
import Dispatch
import Glibc
import MigrationCore
import MigrationPorts
import SimulatedDevices
import Synchronization
import SystemIO
import Testing

@Suite("Devices of ferry-simd")
struct HostTests {
    @Test(
        "every check of the backend port holds over ferry-simd too",
        arguments: ["mlx5", "qat", "xe", "mtty", "virtio", "pds", "hisi_acc", "plain"]
    )
    func conformance(profile: String) throws {
        var passed = 0
        for check in BackendConformance.checks {
            let size = ["mlx5", "xe"].contains(profile) ? ",state=2097216" : ""
            let fixture = try HostFixture("\(profile):count=2,seed=7\(size)")
            let bench = ConformanceBench(
                try fixture.client(),
                device: try id("sim-0"),
                partner: try id("sim-1")
            )
            switch BackendConformance.run(check, on: bench) {
            case .passed: passed += 1
            case .failed(let why): Issue.record("\(check.name): \(why)")
            case .skipped: break
            }
        }
        #expect(passed >= (profile == "plain" ? 9 : 35), "only \(passed) checks ran")
    }

    @Test("what the host shows of its devices is what they are")
    func listing() throws {
        let fixture = try HostFixture(
            "mlx5:count=300,state=64KiB,seed=9",
            "plain",
            "virtio:dirty=4096"
        )
        let client = try fixture.client()
        #expect(client.devices() == fixture.host.backend.devices())
        #expect(client.devices().count == 302)
        #expect(client.device(try id("sim-301")) == fixture.host.backend.device(try id("sim-301")))
        #expect(client.device(try id("pci-0000:41:00.3")) == nil)
    }

    @Test("the content of a seed is given once, to the first that asks")
    func untouched() throws {
        let fixture = try HostFixture("qat:count=2,state=4096")
        let seeded = try fixture.digest("sim-0")
        let sessions = try fixture.sessions()
        #expect(sessions.map(\.device.text) == ["sim-0", "sim-1"])
        #expect(try fixture.digest("sim-0") == seeded)
        #expect(try fixture.sessions().isEmpty)
        for session in sessions { session.close() }
        #expect(try fixture.sessions().isEmpty)
        #expect(try fixture.digest("sim-0") != seeded)
    }

    @Test("an open device is busy for everybody else")
    func busy() throws {
        let fixture = try HostFixture("qat:state=4096")
        let first = try fixture.client().open(id("sim-0"), joining: nil)
        let problem = #expect(throws: Problem.self) {
            try fixture.client().open(id("sim-0"), joining: nil)
        }
        #expect(problem?.code == .deviceBusy)
        #expect(problem?.facts.errno == .busy)
        first.close()
        try fixture.client().open(id("sim-0"), joining: nil).close()
    }

    @Test("a device outlives its daemon in a kept file, and another daemon goes on with it")
    func kept() throws {
        let fixture = try HostFixture("mlx5:state=64KiB,seed=3")
        var old: (any DeviceSession)? = try fixture.sessions().first
        let seeded = try fixture.digest("sim-0")
        _ = try old?.set(.stop)
        let files = try #require(try old?.keptFiles())
        #expect(files.map(\.name) == ["device"])
        // The daemon dies: what is left of it is what a service manager holds.
        let kept = try files.map { file in
            KeptFile(name: file.name, file: SharedDescriptor(try file.file.descriptor.duplicate()))
        }
        old?.close()
        old = nil

        let next = try fixture.client()
        #expect(next.initialSessions().isEmpty)
        let session = try next.resume(id("sim-0"), kept)
        #expect(session.support == .stateStream([.stopCopy, .p2p, .preCopy]))
        try session.expect(.stop)
        #expect(try fixture.digest("sim-0") == seeded)
        _ = try session.set(.running)
        session.close()
        // The service manager still has it.
        #expect(try fixture.digest("sim-0") == seeded)
    }

    @Test("only the file the host has open for a device is taken for it")
    func falseFiles() throws {
        let fixture = try HostFixture("qat:count=2,state=4096")
        let client = try fixture.client()
        let sessions = client.initialSessions()
        let pair = try PacketSocket.pair()
        let null = SharedDescriptor(try FileDescriptor(opening: "/dev/null", O_RDWR))
        let other = try sessions[1].keptFiles()
        let own = try sessions[0].keptFiles()
        for files in [
            [], own + own, other,
            [KeptFile(name: "device", file: pair.far)],
            [KeptFile(name: "device", file: null)],
            [KeptFile(name: "iommufd", file: own[0].file)],
        ] {
            let problem = #expect(throws: Problem.self) { try client.resume(id("sim-0"), files) }
            #expect(problem?.code == .invalidField)
        }
        try sessions[0].expect(.running)
        let resumed = try client.resume(id("sim-0"), own)
        try resumed.expect(.running)
    }

    @Test("a stream and its device are dead when the host ends, and nothing waits")
    func deadHost() throws {
        let fixture = try HostFixture("mlx5:state=64KiB,fault=get:HANG:2")
        let session = try #require(try fixture.sessions().first)
        let client = try fixture.client()
        let stream = try session.stream(.preCopy)
        try session.expect(.preCopy)
        let ended = DispatchSemaphore(value: 0)
        let result = Mutex<Errno?>(nil)  // Guards the errno; a leaf.
        DispatchQueue(label: "test").async {
            let errno = try? errno { _ = try session.state() }
            result.withLock { $0 = errno }
            ended.signal()
        }
        fixture.host.stop()
        try #require(ended.wait(timeout: .now() + 60) == .success)
        #expect(result.withLock { $0 } == .noDevice)
        #expect(try errno { _ = try session.state() } == .noDevice)
        #expect(try errno { _ = try session.set(.running) } == .noDevice)
        #expect(try errno { try session.reset() } == .noDevice)
        #expect(try errno { _ = try stream.readAll() } == .noDevice)
        #expect(try errno { _ = try stream.preCopyInfo() } == .noDevice)
        #expect(client.devices().isEmpty)
        #expect(client.device(try id("sim-0")) == nil)
        #expect(throws: Problem.self) { try client.open(id("sim-0"), joining: nil) }
        #expect(throws: Problem.self) { try HostedBackend(path: fixture.path) }
    }

    @Test("signals cross to the daemon that has the device, also after it was taken over")
    func signals() throws {
        let fixture = try HostFixture("mlx5:count=2")
        let client = try fixture.client()
        let sessions = client.initialSessions()
        let heard = DispatchSemaphore(value: 0)
        let signals = Mutex<[DeviceSignal]>([])  // Guards what was heard; a leaf.
        sessions[1].onSignal { _ in Issue.record("another device's signal was heard") }
        sessions[0].onSignal { signal in
            signals.withLock { $0.append(signal) }
            heard.signal()
        }
        fixture.host.backend.simulateSignal(.unplugRequested, on: sessions[0].device)
        try #require(heard.wait(timeout: .now() + 60) == .success)
        let next = try client.resume(sessions[0].device, sessions[0].keptFiles())
        sessions[0].close()
        next.onSignal { signal in
            signals.withLock { $0.append(signal) }
            heard.signal()
        }
        fixture.host.backend.simulateSignal(.errorSignalled, on: next.device)
        try #require(heard.wait(timeout: .now() + 60) == .success)
        #expect(signals.withLock { $0 } == [.unplugRequested, .errorSignalled])
    }

    @Test("reads and writes of every size come through whole, from many threads side by side")
    func sideBySide() throws {
        let count = 8
        let fixture = try HostFixture("xe:count=\(2 * count),state=1048576,seed=5")
        let sessions = try fixture.sessions().sorted { $0.device.text < $1.device.text }
        let failures = Mutex<[String]>([])  // Guards what failed; a leaf.
        let group = DispatchGroup()
        for number in 0..<count {
            let (source, target) = (sessions[2 * number], sessions[2 * number + 1])
            DispatchQueue(label: "test").async(group: group) {
                do {
                    let bytes = try source.stream(.stopCopy).readAll { (number + 1) * 40_001 }
                    try target.stream(.resuming).writeAll(bytes) { (number + 1) * 50_003 }
                    _ = try target.set(.stop)
                } catch {
                    failures.withLock { $0.append("\(number): \(error)") }
                }
            }
        }
        try #require(group.wait(timeout: .now() + 60) == .success)
        #expect(failures.withLock { $0 } == [])
        for number in 0..<count {
            let (source, target) = (sessions[2 * number], sessions[2 * number + 1])
            #expect(try fixture.digest(source.device.text) == fixture.digest(target.device.text))
        }
    }

    @Test(
        "a call that hangs in one device holds up no other, and ends with the last close",
        arguments: ["arc:*-STOP", "get", "reset", "data_size"]
    )
    func hang(operation: String) throws {
        let fixture = try HostFixture("mlx5:count=2,state=64KiB")
        let client = try fixture.client()
        let sessions = client.initialSessions()
        let (began, ended) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        // A call that came only after the close would leave the fault to the device's next owner.
        let fault = try Fault.parse("\(operation):HANG:1")
        #expect(fixture.host.backend.inject(fault, into: try id("sim-0")) { began.signal() })
        let result = Mutex<Errno?>(nil)  // Guards the errno; a leaf.
        DispatchQueue(label: "test").async { [stuck = sessions[0]] in
            let errno = try? errno {
                switch operation {
                case "get": _ = try stuck.state()
                case "reset": try stuck.reset()
                case "data_size": _ = try stuck.stopCopyByteCount()
                default: _ = try stuck.set(.stop)
                }
            }
            result.withLock { $0 = errno }
            ended.signal()
        }
        try #require(began.wait(timeout: .now() + 60) == .success)
        _ = try sessions[1].set(.stop)
        #expect(client.devices().count == 2)
        sessions[0].close()
        try #require(ended.wait(timeout: .now() + 60) == .success)
        #expect(result.withLock { $0 } == .noDevice)
        let again = try client.open(id("sim-0"), joining: nil)
        try again.expect(.running)
    }

    @Test("an open that hangs waits as long as the host lives, and other devices do not")
    func hangingOpen() throws {
        let fixture = try HostFixture("qat:count=2,state=4096,fault=open:HANG:1@sim-0")
        let client = try fixture.client()
        let (device, ended) = (try id("sim-0"), DispatchSemaphore(value: 0))
        DispatchQueue(label: "test").async {
            let problem = #expect(throws: Problem.self) { try client.open(device, joining: nil) }
            #expect(problem?.code == .deviceGone)
            ended.signal()
        }
        try client.open(id("sim-1"), joining: nil).close()
        fixture.host.stop()
        try #require(ended.wait(timeout: .now() + 60) == .success)
    }

    @Test("faults are added to devices of a host that runs, and wrong ones are refused by name")
    func injected() throws {
        let fixture = try HostFixture("qat:count=2,state=4096")
        let sessions = try fixture.sessions()
        let connection = fixture.connection()
        try connection.inject("get:EIO:2@sim-1")
        try connection.inject("reset:EAGAIN:1")
        try sessions[0].expect(.running)
        try sessions[1].expect(.running)
        #expect(try errno { _ = try sessions[1].state() } == .io)
        for session in sessions { #expect(try errno { try session.reset() } == .again) }
        for (text, code) in [
            ("get:EHUH:1", Problem.Code.invalidField), ("get:EIO:1@sim-2", .notFound),
        ] {
            let problem = #expect(throws: Problem.self) { try connection.inject(text) }
            #expect(problem?.code == code)
        }
        for _ in 0..<255 { try connection.inject("detach:EIO:9+@sim-0") }
        let problem = #expect(throws: Problem.self) {
            for _ in 0..<2 { try connection.inject("detach:EIO:9+@sim-0") }
        }
        #expect(problem?.code == .overloaded)
    }

    @Test("an error behind a call reaches the daemon as a signal")
    func asynchronousError() throws {
        let fixture = try HostFixture("mlx5:state=64KiB,fault=read:ASYNC_ERROR:1")
        let session = try #require(try fixture.sessions().first)
        let heard = DispatchSemaphore(value: 0)
        session.onSignal { signal in
            #expect(signal == .errorSignalled)
            heard.signal()
        }
        let stream = try session.stream(.stopCopy)
        let buffer = IOBuffer(byteCount: 64)
        #expect(try unsafe stream.read(into: buffer.bytes) == 64)
        try #require(heard.wait(timeout: .now() + 60) == .success)
        try session.expect(.error)
        #expect(try errno { _ = try stream.readAll() } == .noDevice)
        #expect(try fixture.events(of: "sim-0").suffix(1) == ["error"])
    }

    @Test("a second host at the same socket is refused, and a dead one's socket is replaced")
    func socket() throws {
        let fixture = try HostFixture("qat")
        #expect(throws: Problem.self) {
            try SimulatedHost(path: fixture.path, SimulatedBackend([]))
        }
        #expect(try fixture.client().devices().count == 1)
    }
}
