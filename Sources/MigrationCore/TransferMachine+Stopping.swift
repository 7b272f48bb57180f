extension TransferMachine {
    /// The targets' way back to STOP behind a commit, because not all of them started.
    struct Stopping: Hashable, Sendable {
        let cause: Problem
        var steps: [TransferStep]
        var mayRun = MayRun.nobody
    }

    /// Whatever becomes of the way back to STOP, the source never runs.
    mutating func beginStopping(_ cause: Problem, _ event: TransferEvent) {
        if case .failed(let failure) = event { targetStates.callLost(after: failure) }
        let quiet = TransferStep(.start, .set(.target, .runningP2P))
        let stop = TransferStep(.start, .set(.target, .stop))
        // Down as up: none stops while another may still reach it.
        let isBarrierNeeded = plan.targetFlags.contains(.p2p) && targetStates.mayReachPeers
        proceed(Stopping(cause: cause, steps: isBarrierNeeded ? [quiet, stop] : [stop]))
    }

    mutating func continueStopping(_ stopping: Stopping, _ event: TransferEvent) {
        var stopping = stopping
        let step = stopping.steps.removeFirst()
        note(step.action, event)
        if let problem = event.problem {
            warnings.append(problem.detail)
            if case .failed(let failure) = event { targetStates.callLost(after: failure) }
            if stopping.steps.isEmpty { didNotStop(&stopping, event) }
        }
        proceed(stopping)
    }

    /// Devices that do not say STOP after the last try may run on.
    private mutating func didNotStop(_ stopping: inout Stopping, _ event: TransferEvent) {
        guard case .failed(let failure) = event else { return }
        for member in targetStates.active {
            switch failure.members[member] {
            case .done?, .failed(_, .known(.stop)?)?: continue
            case .failed?: break
            case nil: if !failure.members.isEmpty { continue }
            }
            stopping.mayRun = .unknown
            targetStates.giveUp(member, as: targetStates.spoilt[member] ?? .uncertain)
        }
    }

    private mutating func proceed(_ stopping: Stopping) {
        guard !stopping.steps.isEmpty, !targetStates.active.isEmpty else {
            return finish(
                .indeterminate(stopping.cause),
                mayRun: stopping.mayRun,
                targets: .loaded
            )
        }
        state = .stopping(stopping)
    }
}
