import MigrationCore
import MigrationPorts
import Synchronization
import SystemIO
import Testing

@testable import JobEngine

@Suite("Changes in the audit", .timeLimit(.minutes(2)))
struct AuditTests {
    private let bind = DeviceChange.bind(driver: "vfio-pci", isForced: true)
    private let nvme = DevicePlace(driver: "nvme")
    private let vfio = DevicePlace(driver: "vfio-pci", driverOverride: "vfio-pci")

    @Test("the intent is in the store, fsynced, before the change, and its outcome after it")
    func intent() async throws {
        let world = try AuditWorld()
        let store = world.store
        let backend = world.backend
        let found = Mutex<[AuditRecord]>([])
        backend.with { host in
            host.onChange = { found.withLock { $0 = (try? store.unfinishedAudit()) ?? [] } }
        }
        #expect(try await world.change(bind) == nil)
        let intent = try #require(found.withLock { $0.first })
        #expect(found.withLock { $0.count } == 1)
        #expect(intent.state == .running)
        #expect(intent.action == .change(bind))
        #expect(intent.requester == .test)
        #expect((intent.before, intent.after) == (nvme, nil))
        let outcome = try #require(world.records().first)
        #expect(outcome.id == intent.id)
        #expect(outcome.state == .succeeded)
        #expect((outcome.before, outcome.after) == (nvme, vfio))
        #expect(try store.unfinishedAudit() == [])
        #expect(world.durabilities() == [.machine, .machine])
    }

    @Test("a step that the kernel refuses is told by its errno, and whether all is as it was")
    func failed() async throws {
        let world = try AuditWorld()
        let device = world.device
        let facts = Problem.Facts(device: device, operation: "write of /sys/x", errno: .busy)
        let refusal = Problem(.kernelRefused, "no", facts)
        world.backend.with { $0.refusal = refusal }
        #expect(try await world.change(bind) == refusal)
        var record = try #require(world.records().first)
        #expect(record.state == .failed(refusal))
        #expect(record.isUndone == true)
        let backend = world.backend
        backend.with { host in
            host.onChange = { backend.with { $0.places[device] = DevicePlace() } }
        }
        _ = try await world.change(bind)
        record = try #require(world.records().first)
        #expect(record.isUndone == false)
        #expect(record.after == DevicePlace())
    }

    @Test("a refusal is kept, whether the engine refuses or the backend does")
    func refused() async throws {
        let world = try AuditWorld(isOpenAtStart: true)
        #expect(try await world.change(bind)?.code == .deviceBusy)
        #expect(world.backend.changes == [])
        try world.closeSessions()
        let refusal = Problem(.forceRequired, "say force")
        world.backend.with { $0.refusal = refusal }
        _ = try await world.change(bind)
        _ = try await world.change(bind, of: "sim-9")
        let records = world.records()
        #expect(records.map(\.state.name) == ["refused", "refused", "refused"])
        #expect(records.map(\.state.problem?.code) == [.notFound, .forceRequired, .deviceBusy])
        #expect(records.map(\.isUndone) == [nil, nil, nil])
    }

    @Test("the driver that is meant is the one the device asks for once it is locked")
    func lateDriver() async throws {
        let world = try AuditWorld()
        let engine = world.engine
        world.backend.with { host in
            host.onLook = { [weak engine] record in
                var record = record
                let isLocked = engine?.locks.holder(of: record.id) != nil
                record.candidate = CandidateFacts(driver: isLocked ? "new" : "old", steps: [])
                return record
            }
        }
        #expect(try await world.change(.bind(driver: nil, isForced: false)) == nil)
        let meant = DeviceChange.bind(driver: "new", isForced: false)
        #expect(world.backend.changes == [meant])
        #expect(world.records().first?.action == .change(meant))
    }

    @Test("a number of virtual functions is not changed when others are there than were locked")
    func lateFunctions() async throws {
        let world = try AuditWorld()
        let engine = world.engine
        world.backend.with { host in
            host.onLook = { [weak engine] record in
                var record = record
                let isLocked = engine?.locks.holder(of: record.id) != nil
                var facts = PCIFacts()
                facts.role = .physical(limit: 4, functions: isLocked ? ["0000:41:00.1"] : [])
                record.pci = facts
                return record
            }
        }
        let change = DeviceChange.virtualFunctions(count: 2, isProbed: nil, isForced: false)
        #expect(try await world.change(change)?.code == .deviceBusy)
        #expect(world.backend.changes == [])
        #expect(engine.locks.all.isEmpty)
        #expect(world.records().map(\.state.name) == ["refused"])
    }

    @Test("nothing is changed whose intent cannot be written")
    func unwritten() async throws {
        let world = try AuditWorld()
        world.store.plan(.from(1))
        #expect(try await world.change(bind)?.code == .storeFailed)
        #expect(world.backend.changes == [])
        #expect(world.backend.place(of: world.device) == nvme)
        world.store.plan(.none)
        #expect(try await world.change(bind) == nil)
    }

    @Test("an outcome that the store does not take comes with the next record")
    func owed() async throws {
        let world = try AuditWorld()
        world.store.plan(.at(2))
        #expect(try await world.change(bind) == nil)
        #expect(world.records().map(\.state) == [.running])
        #expect(try await world.change(bind, of: "sim-1") == nil)
        #expect(world.records().map(\.state) == [.succeeded, .succeeded])
    }

    @Test("an outcome that the store does not take comes with the next tidying, and with a stop")
    func owedAnyway() async throws {
        for isStop in [false, true] {
            let world = try AuditWorld { $0.commandQueueCount = 1 }
            let engine = world.engine
            world.store.plan(.at(2))
            #expect(try await world.change(bind) == nil)
            #expect(world.records().map(\.state) == [.running])
            try await awaitCall("what is owed") { told in
                if isStop { return engine.stop(losing: []) { _ in told() } }
                engine.tidyStore()
                #expect(throws: Never.self) { try engine.perform { told() } }
            }
            #expect(world.records().map(\.state) == [.succeeded])
            #expect(world.durabilities() == [.machine, .machine])
        }
    }

    @Test("a refusal is not synchronized, but the intent before it, and what it brings along")
    func refusalDurability() async throws {
        let world = try AuditWorld()
        #expect(try await world.change(bind, of: "sim-9")?.code == .notFound)
        #expect(world.durabilities() == [.process])
        world.backend.with { $0.refusal = Problem(.forceRequired, "say force") }
        #expect(try await world.change(bind)?.code == .forceRequired)
        #expect(world.durabilities() == [.process, .machine, .process])
        world.backend.with { $0.refusal = nil }
        world.store.plan(.at(5))
        #expect(try await world.change(bind) == nil)
        #expect(try await world.change(bind, of: "sim-9")?.code == .notFound)
        #expect(world.durabilities() == [.process, .machine, .process, .machine, .machine])
    }

    @Test("a flood of refusals makes the store no larger than its limit allows")
    func flood() async throws {
        let world = try AuditWorld { $0.retainedAuditLimit = 10 }
        for _ in 0..<100 { _ = try await world.change(bind, of: "sim-9") }
        #expect(world.records().count < 100)
        #expect(world.records().count <= 10 + 64)
    }

    // MARK: Death

    @Test("what was taken back is told as interrupted and undone, with an event of the device")
    func takenBack() async throws {
        let world = try AuditWorld()
        let later = try await world.deadIn(bind) { $0.remains = .success(.takenBack(["Undone."])) }
        let record = try await later.settled()
        #expect(record.state.name == "interrupted")
        #expect(record.state.problem?.code == .daemonDied)
        #expect(record.state.problem?.facts.reasons == ["Undone."])
        #expect(record.isUndone == true)
        #expect(record.finishedAt != nil)
        #expect(later.backend.with { $0.settled } == [later.device: nvme])
        #expect(try later.topics() == [.deviceChanged(later.device)])
        #expect(later.engine.unfinishedChanges.map(\.id) == [record.id])
        await later.whenFree()
        // And that is all: the next start has nothing to settle.
        #expect(try later.again().engine.unfinishedChanges == [])
    }

    @Test("what could not be taken back whole is told so, also when only virtual functions are new")
    func notTakenBack() async throws {
        var (few, new) = (nvme, nvme)
        (few.functionCount, few.functions) = (2, "71")
        (new.functionCount, new.functions) = (2, "93")
        let change = DeviceChange.virtualFunctions(count: 3, isProbed: nil, isForced: false)
        for (change, before, now, sentence) in [
            (bind, nvme, DevicePlace(), "It had the driver nvme and no driver_override before"),
            (change, few, new, "2 virtual functions, as before, but the virtual functions are new"),
        ] {
            let world = try AuditWorld()
            let device = world.device
            world.backend.with { $0.places[device] = before }
            let later = try await world.deadIn(change) { host in
                host.remains = .success(.takenBack(["Not undone."]))
                host.places[device] = now
            }
            let record = try await later.settled()
            #expect(record.isUndone == false)
            let detail = try #require(record.state.problem?.detail)
            #expect(detail.contains("could not be taken back whole."))
            #expect(detail.contains(sentence))
            #expect(try later.topics() == [.deviceChanged(device)])
        }
    }

    @Test("what was done is told as done, and what was not begun as undone; no event is told")
    func ends() async throws {
        for (remains, name) in [(.complete, "succeeded"), (.untouched, "interrupted")]
            as [(ChangeRemains, String)]
        {
            let world = try AuditWorld()
            let later = try await world.deadIn(bind) { $0.remains = .success(remains) }
            let record = try await later.settled()
            #expect(record.state.name == name)
            #expect(record.isUndone == (remains == .untouched ? true : nil))
            #expect(try later.topics() == [])
        }
    }

    @Test("what is left alone is told with where it is now and what is to be done by hand")
    func leftAlone() async throws {
        for remains in [
            .failure(Problem(.deviceBusy, "qemu has it open.")), .success(nil),
        ] as [Result<ChangeRemains?, Problem>] {
            let world = try AuditWorld()
            let device = world.device
            let later = try await world.deadIn(bind) { host in
                host.remains = remains
                host.places[device] = DevicePlace(driver: nil, driverOverride: "vfio-pci")
            }
            let record = try await later.settled()
            #expect(record.state.name == "interrupted")
            #expect(record.isUndone == false)
            let detail = try #require(record.state.problem?.detail)
            #expect(detail.contains("the driver nvme and no driver_override before"))
            #expect(detail.contains("no driver and the driver_override vfio-pci now"))
            #expect(try later.topics() == [])
        }
    }

    @Test("a device that has a session by now is not touched")
    func inSession() async throws {
        let world = try AuditWorld()
        let later = try await world.deadIn(bind, isOpenAtStart: true) { _ in }
        let record = try await later.settled()
        #expect(record.state.problem?.facts.session != nil)
        #expect(later.backend.with { $0.settled.isEmpty })
    }

    @Test("after a start of the machine, or perhaps one, nothing is touched")
    func otherBoot() async throws {
        for (boot, sentence) in [("another", "was started anew"), (nil, "cannot be told")] {
            let world = try AuditWorld()
            var change = StoreChange()
            change.audit = [
                AuditRecord(
                    id: try #require(AuditID("aud-1")),
                    action: .change(bind),
                    subject: world.device,
                    requester: .test,
                    startedAt: Timestamp(millisecondsSinceEpoch: 0),
                    boot: boot
                )
            ]
            try world.store.apply(change, .machine)
            let later = try world.again()
            let record = try await later.settled()
            #expect(record.state.name == "interrupted")
            #expect(record.state.problem?.detail.contains(sentence) == true)
            #expect(later.backend.with { $0.settled.isEmpty })
        }
    }
}
