extension TransferMachine {
    /// The targets' way back to STOP behind a commit, because not all of them started.
    struct Stopping: Hashable, Sendable {
        let cause: Problem
        var step: TransferStep
        var remaining: [TransferStep]
        var target: ContentFate
    }

    /// Whatever becomes of the way back to STOP, the source never runs.
    mutating func beginStopping(_ cause: Problem, _ event: TransferEvent) {
        if case .failed(_, .target, .known(.error)?) = event {
            return finish(
                .indeterminate(cause),
                mayRun: .nobody,
                source: .untouched,
                target: .lost
            )
        }
        let quiet = TransferStep(.start, .set(.target, .runningP2P))
        let stop = TransferStep(.start, .set(.target, .stop))
        // Down as up: none stops while another may still reach it.
        let isBarrierNeeded = plan.targetFlags.contains(.p2p) && targetStates.mayReachPeers
        state = .stopping(
            Stopping(
                cause: cause,
                step: isBarrierNeeded ? quiet : stop,
                remaining: isBarrierNeeded ? [stop] : [],
                target: fateOfTarget(after: event)
            )
        )
    }

    mutating func continueStopping(_ stopping: Stopping, _ event: TransferEvent) {
        var stopping = stopping
        note(stopping.step.action, event)
        var mayRun = MayRun.nobody
        if let problem = event.problem {
            var reported: ReportedState?
            if case .failed(_, _, let state) = event { reported = state }
            warnings.append(problem.detail)
            if fateOfTarget(after: event) == .lost { stopping.target = .lost }
            if reported == .known(.error) {
                stopping.remaining = []
            } else if stopping.remaining.isEmpty, reported != .known(.stop) {
                mayRun = .unknown
                if stopping.target != .lost { stopping.target = .uncertain }
            }
        }
        if let next = stopping.remaining.first {
            stopping.step = next
            stopping.remaining.removeFirst()
            state = .stopping(stopping)
        } else {
            finish(
                .indeterminate(stopping.cause),
                mayRun: mayRun,
                source: .untouched,
                target: stopping.target
            )
        }
    }

    private func fateOfTarget(after event: TransferEvent) -> ContentFate {
        fate(of: .target, after: event) == .lost ? .lost : .loaded
    }
}
