import MigrationCore
import Testing

@Suite("A set of devices of which one fails")
struct TransferSetTests {
    private typealias Story = TransferMachineTests

    private static func failed(
        _ side: Side,
        _ members: [Int: MemberResult]
    ) -> TransferEvent {
        .failed(FailedAction(Story.cause, side: side, members: members))
    }

    @Test("targets that do not all start go down through the barrier")
    func startFails() throws {
        var machine = try Story.machine(at: .set(.target, .running), deviceCount: 2)
        let stays = MemberResult.failed(Story.cause, .known(.runningP2P))
        _ = machine.next(after: Self.failed(.target, [0: .done, 1: stays]))
        let (actions, outcome) = Story.rest(machine)
        #expect(actions == [.set(.target, .runningP2P), .set(.target, .stop)])
        #expect(outcome?.targets == [.loaded, .loaded])
        #expect(outcome?.mayRun == .nobody)
    }

    @Test("one source that loses its content is given up, and the others run on")
    func oneLost() throws {
        var machine = try Story.machine(at: .drain, deviceCount: 3)
        _ = machine.next(after: Self.failed(.source, [1: .failed(Story.cause, .known(.error))]))
        #expect(machine.active(.source) == [0, 2])
        #expect(machine.active(.target) == [0, 1, 2])
        let (actions, outcome) = Story.rest(machine)
        #expect(actions.contains(.set(.source, .running)))
        #expect(outcome?.sources == [.untouched, .lost, .untouched])
        #expect(outcome?.targets == [.emptied, .emptied, .emptied])
        #expect(outcome?.state == .failed(Story.cause))
        #expect(outcome?.mayRun == .source)
    }

    @Test("a source that does not come up again is uncertain alone, and nobody knows who runs")
    func oneStuck() throws {
        var machine = try Story.machine(at: .drain, deviceCount: 2)
        let cancel = Problem(.cancelled, "cancelled")
        _ = machine.next(after: .done, interruption: cancel)
        _ = machine.next(after: .done)
        let stuck = MemberResult.failed(Story.cause, .known(.stop))
        // Through the barrier, then once more by way of STOP for both of them.
        for _ in 0..<2 { _ = machine.next(after: Self.failed(.source, [0: .done, 1: stuck])) }
        let (actions, outcome) = Story.rest(machine)
        #expect(actions.prefix(2) == [.set(.source, .runningP2P), .set(.source, .running)])
        #expect(outcome?.sources == [.untouched, .uncertain])
        #expect(outcome?.mayRun == .unknown)
        #expect(outcome?.state == .indeterminate(Story.cause))
    }

    @Test("a target in ERROR behind the commit is lost, and the others are stopped")
    func oneTargetInError() throws {
        var machine = try Story.machine(at: .set(.target, .runningP2P), deviceCount: 2)
        let broken = MemberResult.failed(Story.cause, .known(.error))
        _ = machine.next(after: Self.failed(.target, [0: broken, 1: .done]))
        #expect(machine.active(.target) == [1])
        let (actions, outcome) = Story.rest(machine)
        #expect(actions == [.set(.target, .stop)])
        #expect(outcome?.targets == [.lost, .loaded])
        #expect(outcome?.sources == [.untouched, .untouched])
        #expect(outcome?.mayRun == .nobody)
    }

    @Test("the slowest source is what a switchover waits for, and SETs come on top")
    func slowest() {
        var decision = SwitchoverDecision(
            mode: .auto,
            downtimeLimitMilliseconds: 300,
            setNanoseconds: 100_000_000
        )
        let round = { (dirty: UInt64, rate: UInt64) in
            PreCopyRound(
                initialByteCount: 0,
                dirtyByteCount: dirty,
                stopCopyByteCount: nil,
                bytesPerSecond: rate
            )
        }
        decision.didRound([round(100, 1000), round(201, 1000), round(1, 1000)], at: 1)
        #expect(decision.expectedDowntimeNanoseconds == 301_000_000)
        #expect(decision.blockedBy == ["downtime_limit"])
        decision.didRound([round(100, 1000), round(200, 1000), round(1, 1000)], at: 2)
        #expect(decision.isMade)
        decision.setDowntimeLimit(milliseconds: 99)
        #expect(decision.blockedBy == ["downtime_limit", "set_durations"])
        decision.didRound([round(1, 1000), round(1, 0)], at: 3)
        #expect(decision.expectedDowntimeNanoseconds == 1_100_000_000)
    }

    @Test("a device without PRECOPY_INFO in the set is no convergence of the set")
    func oneWithoutInfo() {
        var decision = SwitchoverDecision(mode: .auto, downtimeLimitMilliseconds: 300)
        let silent = PreCopyRound(
            initialByteCount: nil,
            dirtyByteCount: nil,
            stopCopyByteCount: 0,
            bytesPerSecond: nil
        )
        decision.didRound([TransferRun.converged, silent], at: 0)
        #expect(decision.blockedBy.contains("precopy_info"))
    }

    @Test("pre-copy that comes no nearer to its end is seen, and one at its gate is not called so")
    func stalled() {
        var decision = SwitchoverDecision(mode: .manual, downtimeLimitMilliseconds: 1)
        let dirty = { (count: UInt64) in
            PreCopyRound(
                initialByteCount: 0,
                dirtyByteCount: count,
                stopCopyByteCount: nil,
                bytesPerSecond: 1000
            )
        }
        #expect(decision.stalledNanoseconds(at: 5) == nil)
        decision.didRound([dirty(50)], at: 10)
        decision.didRound([dirty(60)], at: 20)
        #expect(decision.stalledNanoseconds(at: 25) == 15)
        decision.didRound([dirty(40)], at: 30)
        #expect(decision.stalledNanoseconds(at: 31) == 1)
        // A clock that went back is no progress and no trap.
        #expect(decision.stalledNanoseconds(at: 0) == 0)
        decision.didRound([dirty(1)], at: 40)
        #expect(decision.isWaitingForGate)
        #expect(decision.stalledNanoseconds(at: 1000) == nil)
    }

    @Test("a set is driven by pre-copy when one device can, and by P2P when all can")
    func driving() {
        let all: MigrationFlags = [.stopCopy, .p2p, .preCopy]
        #expect(MigrationFlags.driving([all, [.stopCopy, .p2p]]) == all)
        #expect(MigrationFlags.driving([[.stopCopy, .p2p], all]) == all)
        #expect(MigrationFlags.driving([all, [.stopCopy, .preCopy]]) == [.stopCopy, .preCopy])
        #expect(MigrationFlags.driving([[.stopCopy], all]) == [.stopCopy, .preCopy])
        #expect(MigrationFlags.driving([]) == [])
        #expect(DeviceState.preCopy.effective(with: [.stopCopy, .p2p]) == nil)
        #expect(DeviceState.preCopyP2P.effective(with: [.stopCopy, .p2p]) == .runningP2P)
        for state in DeviceState.allCases { #expect(state.effective(with: all) == state) }
    }

    @Test("SET durations rise at once, fall slowly, and add up step by step")
    func durations() {
        var learned = SetDurations()
        let stop = Problem.ArcNames(from: .preCopyP2P, to: .stopCopy)
        #expect(learned.expected("mlx5", stop) == nil)
        #expect(learned.learn("mlx5", stop, nanoseconds: 80).nanoseconds == 80)
        #expect(learned.learn("mlx5", stop, nanoseconds: 160).nanoseconds == 160)
        #expect(learned.learn("mlx5", stop, nanoseconds: 0).nanoseconds == 140)
        _ = learned.learn("mtty", stop, nanoseconds: 30)
        let plan = TransferPlan.migrate(from: Story.everything, to: Story.everything)
        let devices = [("mlx5", Story.everything), ("mtty", Story.everything)]
        #expect(learned.downtime(of: plan, sources: devices, targets: devices) == 140)
        let start = Problem.ArcNames(from: .runningP2P, to: .running)
        _ = learned.learn("mtty", start, nanoseconds: 5)
        #expect(learned.downtime(of: plan, sources: devices, targets: devices) == 145)
        #expect(SetDurations().downtime(of: plan, sources: devices, targets: devices) == nil)
    }
}
