import MigrationCore
import Testing

@Suite("The transfer machine, story by story")
struct TransferMachineTests {
    static let everything: MigrationFlags = [.stopCopy, .p2p, .preCopy]

    /// A machine that was fed `done` up to the first instruction for `action`.
    static func machine(
        _ plan: TransferPlan = .migrate(from: everything, to: everything),
        at action: TransferAction,
        _ mode: JobSpec.SwitchoverMode = .auto,
        deviceCount: Int = 1
    ) throws -> TransferMachine {
        var machine = TransferMachine(
            plan: plan,
            switchover: SwitchoverDecision(mode: mode, downtimeLimitMilliseconds: 300),
            deviceCount: deviceCount
        )
        for _ in 0..<TransferRun.longest {
            guard case .perform(let step) = machine.instruction else { break }
            if step.action == action { return machine }
            let event: TransferEvent =
                step.action == .preCopyRound ? .roundDone(TransferRun.converged) : .done
            _ = machine.next(after: event)
        }
        throw Problem(.internalError, "no \(action) in the plan")
    }

    /// Feeds `done` to the end; what was asked for, and how it ended.
    static func rest(_ machine: TransferMachine) -> ([TransferAction], TransferOutcome?) {
        var machine = machine
        var actions: [TransferAction] = []
        for _ in 0..<TransferRun.longest {
            switch machine.instruction {
            case .finish(let outcome): return (actions, outcome)
            case .perform(let step):
                actions.append(step.action)
                _ = machine.next(after: .done)
            }
        }
        return (actions, nil)
    }

    static func failure(_ side: Side, _ state: DeviceState?, _ errno: Errno = .io)
        -> TransferEvent
    {
        var facts = Problem.Facts()
        facts.errno = errno
        let problem = Problem(.deviceFailed, "EIO", facts)
        return .failed(problem, side: side, state: state.map(ReportedState.known))
    }

    static var cause: Problem {
        var facts = Problem.Facts()
        facts.errno = .io
        return Problem(.deviceFailed, "EIO", facts)
    }

    @Test("a STOP_COPY that failed is left by way of STOP, and through the barrier")
    func byStop() throws {
        var machine = try Self.machine(at: .set(.source, .stopCopy))
        _ = machine.next(after: Self.failure(.source, .preCopyP2P))
        let (actions, outcome) = Self.rest(machine)
        #expect(
            actions == [
                .abort(Self.cause), .set(.source, .stop), .set(.source, .runningP2P),
                .set(.source, .running), .detach(.target), .reset(.target), .close(.target),
            ]
        )
        #expect(outcome?.state == .failed(Self.cause))
        #expect(outcome?.mayRun == .source)
        #expect(outcome?.source == .untouched)
        #expect(outcome?.target == .emptied)
    }

    @Test("a target whose first SET was not begun keeps what it has")
    func targetNotBegun() throws {
        var machine = try Self.machine(at: .set(.target, .resuming))
        _ = machine.next(after: .notBegun(Self.cause))
        let (actions, outcome) = Self.rest(machine)
        #expect(actions == [.abort(Self.cause)])
        #expect(outcome?.state == .failed(Self.cause))
        #expect(outcome?.mayRun == .source)
        #expect(outcome?.target == .untouched)
    }

    @Test("when the way by STOP fails too, the content is uncertain and nobody knows who runs")
    func byStopFails() throws {
        var machine = try Self.machine(at: .set(.source, .stopCopy))
        _ = machine.next(after: Self.failure(.source, .preCopyP2P))
        _ = machine.next(after: .done)
        _ = machine.next(after: Self.failure(.source, .runningP2P))
        let (actions, outcome) = Self.rest(machine)
        #expect(actions == [.detach(.target), .reset(.target), .close(.target)])
        #expect(outcome?.source == .uncertain)
        #expect(outcome?.mayRun == .unknown)
        #expect(outcome?.state.name == "indeterminate")
    }

    @Test("a PRE_COPY that cannot be left is not left twice")
    func noSecondTryOutOfPreCopy() throws {
        var machine = try Self.machine(at: .preCopyRound, .manual)
        let cancel = Problem(.cancelled, "cancelled")
        _ = machine.next(after: .roundDone(TransferRun.converged), interruption: cancel)
        #expect(
            machine.next(after: .done) == .perform(TransferStep(.preCopy, .set(.source, .running)))
        )
        _ = machine.next(after: Self.failure(.source, .preCopy), interruption: cancel)
        let (actions, outcome) = Self.rest(machine)
        #expect(actions == [.detach(.target), .reset(.target), .close(.target)])
        #expect(outcome?.source == .uncertain)
        // What ended the job is the device, not the wish to cancel it.
        #expect(outcome?.state == .indeterminate(Self.cause))
        #expect(outcome?.warnings == ["cancelled"])
    }

    @Test("a device that says RUNNING where nobody led it has lost its content")
    func resetBehindOurBack() throws {
        var machine = try Self.machine(at: .drain)
        _ = machine.next(after: Self.failure(.source, .running, .noDevice))
        let (actions, outcome) = Self.rest(machine)
        #expect(actions.contains(.reset(.target)))
        #expect(!actions.contains(.set(.source, .running)))
        #expect(outcome?.source == .lost)
        #expect(outcome?.mayRun == .nobody)
    }

    @Test("a target that says RUNNING on its way to RUNNING_P2P is stopped and called lost")
    func targetResetAtStart() throws {
        var machine = try Self.machine(at: .set(.target, .runningP2P))
        _ = machine.next(after: Self.failure(.target, .running))
        let (actions, outcome) = Self.rest(machine)
        #expect(actions.last == .set(.target, .stop))
        #expect(outcome?.target == .lost)
        #expect(outcome?.mayRun == .nobody)
        #expect(outcome?.state.name == "indeterminate")
    }

    @Test("a target that does not start is stopped where it is, and the source stays stopped")
    func startFails() throws {
        var machine = try Self.machine(at: .set(.target, .running))
        _ = machine.next(after: Self.failure(.target, .runningP2P))
        let (actions, outcome) = Self.rest(machine)
        #expect(actions == [.set(.target, .stop)])
        #expect(outcome?.state == .indeterminate(Self.cause))
        #expect(outcome?.target == .loaded)
        #expect(outcome?.source == .untouched)
        #expect(outcome?.mayRun == .nobody)
    }

    @Test("a commit that failed is taken back by an abort the store takes, which proves it missing")
    func commitFails() throws {
        var machine = try Self.machine(at: .commit)
        let problem = Problem(.storeFailed, "disk")
        _ = machine.next(after: .failed(problem, side: nil, state: nil))
        #expect(!machine.isCancellable)
        let (actions, outcome) = Self.rest(machine)
        #expect(
            actions == [
                .abort(problem), .set(.source, .runningP2P), .set(.source, .running),
                .detach(.target), .reset(.target), .close(.target),
            ]
        )
        #expect(outcome?.state == .failed(problem))
        #expect(outcome?.mayRun == .source)
    }

    @Test("a commit that may or may not be written lets nobody run while no abort can be")
    func commitIsDoubtful() throws {
        var machine = try Self.machine(at: .commit)
        let problem = Problem(.storeFailed, "disk")
        _ = machine.next(after: .failed(problem, side: nil, state: nil))
        _ = machine.next(after: .failed(Problem(.storeFailed, "still"), side: nil, state: nil))
        let (actions, outcome) = Self.rest(machine)
        #expect(actions == [])
        #expect(outcome?.state == .indeterminate(problem))
        #expect(outcome?.mayRun == .nobody)
        #expect(outcome?.source == .untouched && outcome?.target == .loaded)
    }

    @Test("a commit that was written and said to be lost goes on, when the store refuses the abort")
    func commitStands() throws {
        var machine = try Self.machine(at: .commit)
        _ = machine.next(after: .failed(Problem(.storeFailed, "disk"), side: nil, state: nil))
        let next = machine.next(
            after: .failed(Problem(.jobCommitted, "it stands"), side: nil, state: nil)
        )
        #expect(next == .perform(TransferStep(.start, .set(.target, .runningP2P))))
        let outcome = Self.rest(machine).1
        #expect(outcome?.state == .succeeded)
        #expect(outcome?.mayRun == .target)
        #expect(outcome?.warnings == ["disk"])
    }

    @Test("without an abort record a stopped source stays stopped, and a running one runs on")
    func abortFails() throws {
        let problem = Problem(.storeFailed, "disk")
        var stopped = try Self.machine(at: .drain)
        _ = stopped.next(after: Self.failure(.source, .stopCopy))
        _ = stopped.next(after: .failed(problem, side: nil, state: nil))
        let (actions, outcome) = Self.rest(stopped)
        #expect(actions == [.detach(.target), .reset(.target), .close(.target)])
        #expect(outcome?.state == .indeterminate(problem))
        #expect(outcome?.mayRun == .nobody)
        #expect(outcome?.warnings == ["EIO"])

        var running = try Self.machine(at: .preCopyRound)
        _ = running.next(after: Self.failure(.source, .preCopy))
        _ = running.next(after: .failed(problem, side: nil, state: nil))
        let (onward, end) = Self.rest(running)
        #expect(onward.first == .set(.source, .running))
        #expect(end?.mayRun == .source)
    }

    @Test("an interruption counts until the decision is attempted and not after")
    func interruptions() throws {
        let cancel = Problem(.cancelled, "cancelled")
        var before = try Self.machine(at: .confirmLoaded)
        #expect(before.isCancellable)
        _ = before.next(after: .done, interruption: cancel)
        #expect(before.isRollingBack)
        #expect(!before.isCancellable)
        #expect(Self.rest(before).1?.state == .cancelled)
        var after = try Self.machine(at: .commit)
        #expect(!after.isCancellable)
        _ = after.next(after: .done, interruption: cancel)
        #expect(Self.rest(after).1?.state == .succeeded)
    }

    @Test("a failure tells more than the interruption that came with it")
    func failureBeforeInterruption() throws {
        var machine = try Self.machine(at: .drain)
        let cancel = Problem(.cancelled, "cancelled")
        _ = machine.next(after: Self.failure(.source, .stopCopy), interruption: cancel)
        #expect(Self.rest(machine).1?.state == .failed(Self.cause))
    }

    @Test("pre-copy goes on until it has converged, and a manual one waits at its gate")
    func preCopy() throws {
        var machine = try Self.machine(at: .preCopyRound, .manual)
        #expect(machine.isInPreCopy)
        let dirty = PreCopyRound(
            initialByteCount: 0,
            dirtyByteCount: .max,
            stopCopyByteCount: nil,
            bytesPerSecond: 1
        )
        for _ in 0..<100 {
            #expect(
                machine.next(after: .roundDone(dirty))
                    == .perform(TransferStep(.preCopy, .preCopyRound))
            )
        }
        #expect(machine.switchoverBlockedBy == ["downtime_limit", "gate"])
        let waiting = TransferInstruction.perform(TransferStep(.awaitingSwitchover, .preCopyRound))
        #expect(machine.next(after: .roundDone(TransferRun.converged)) == waiting)
        // Dirt at the gate sends no job back a phase.
        #expect(machine.next(after: .roundDone(dirty)) == waiting)
        machine.openGate()
        let onward = TransferInstruction.perform(TransferStep(.quiesce, .set(.source, .preCopyP2P)))
        #expect(machine.next(after: .roundDone(dirty)) == onward)
        #expect(!machine.isInPreCopy)
        #expect(machine.switchoverBlockedBy == [])
    }

    @Test("what is abandoned before its first instruction touched nothing")
    func abandon() {
        let plan = TransferPlan.migrate(from: .stopCopy, to: .stopCopy)
        for cause in [Problem(.cancelled, ""), Problem(.shuttingDown, "")] {
            var machine = TransferMachine(
                plan: plan,
                switchover: SwitchoverDecision(mode: .auto, downtimeLimitMilliseconds: 1)
            )
            machine.abandon(cause)
            let (actions, outcome) = Self.rest(machine)
            #expect(actions == [])
            #expect(outcome?.state == (cause.code == .cancelled ? .cancelled : .failed(cause)))
            #expect(outcome?.source == .untouched && outcome?.target == .untouched)
            #expect(outcome?.mayRun == .source)
        }
    }

    @Test("what is over stays over, whatever it is told")
    func finished() throws {
        var machine = try Self.machine(.restore(.stopCopy), at: .set(.target, .running))
        let end = machine.next(after: .done)
        for event in [TransferEvent.done, Self.failure(.source, .error)] {
            #expect(machine.next(after: event, interruption: Problem(.cancelled, "")) == end)
        }
        machine.abandon(Problem(.cancelled, ""))
        #expect(machine.instruction == end)
        #expect(!machine.isCancellable && !machine.isInPreCopy && !machine.isRollingBack)
    }

    @Test("a save that stops its source lets nobody run, one that does not lets the source")
    func saves() throws {
        let stop = Self.rest(try Self.machine(.save(.stopCopy, after: .stop), at: .createImage)).1
        #expect(stop?.mayRun == .nobody)
        let run = Self.rest(try Self.machine(.save(.stopCopy, after: .run), at: .createImage)).1
        #expect(run?.mayRun == .source)
    }

    @Test("a source that breaks behind the seal is called lost beside a good image")
    func lostBehindTheSeal() throws {
        var machine = try Self.machine(.save(.stopCopy, after: .stop), at: .set(.source, .stop))
        _ = machine.next(after: Self.failure(.source, .error))
        let outcome = Self.rest(machine).1
        #expect(outcome?.state == .succeeded)
        #expect(outcome?.source == .lost)
        #expect(outcome?.warnings == ["EIO"])
    }

    @Test("a reset that failed is uncertain on a device, and nothing without one")
    func resetFails() {
        for side in [Side.source, nil] {
            var machine = TransferMachine(
                plan: .reset,
                switchover: SwitchoverDecision(mode: .auto, downtimeLimitMilliseconds: 1)
            )
            #expect(!machine.isCancellable)
            _ = machine.next(after: .failed(Self.cause, side: side, state: nil))
            let (actions, outcome) = Self.rest(machine)
            #expect(actions == [])
            #expect(outcome?.state == .failed(Self.cause))
            #expect(outcome?.mayRun == .nobody)
            #expect(outcome?.source == (side == .source ? .uncertain : .untouched))
        }
    }

    @Test("from cancellable over the decision to decided there is no way back")
    func decided() throws {
        for named in NamedPlan.all {
            var run = TransferRun(named.plan, deviceCount: 1)
            var seen: [String] = []
            while run.outcome == nil {
                let machine = run.machine
                #expect(!machine.isCancellable || !machine.isDecided)
                seen.append(
                    machine.isCancellable ? "a" : machine.isDecided ? "c" : "b"
                )
                run.next(nil)
            }
            #expect(seen == seen.sorted())
            #expect(seen.count { $0 == "b" } == 1, "\(named.name)")
            #expect(seen.last == "c")
        }
    }
}
