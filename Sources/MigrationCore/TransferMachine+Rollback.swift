extension TransferMachine {
    /// What is left to do to take a transfer back, and what it has come to so far.
    struct Rollback: Hashable, Sendable {
        let cause: Problem
        var steps: [TransferStep]
        var source: ContentFate
        var target: ContentFate
        /// Whether the second way up was taken; there is no third one.
        var triedTwice: Bool
        /// Whether the sources must stay as they are because the abort record is not written.
        var isAbortMissing = false
        /// What kept the sources from running again.
        var obstacle: Problem?
    }

    mutating func beginRollback(_ cause: Problem, at index: Int, _ event: TransferEvent) {
        let step = plan.steps[index]
        let source = fate(of: .source, after: event)
        // A PRE_COPY_P2P→STOP_COPY that failed leaves a stream nobody can trust: leave it by STOP.
        var byStop = sourceStates.isStrange
        if case .failed = event, step.action == .set(.source, .stopCopy) {
            byStop = byStop || sourceStates.possible.contains(.preCopyP2P)
        }
        var steps: [TransferStep] = []
        if plan.hasCommit { steps.append(TransferStep(step.phase, .abort(cause))) }
        if source != .lost { steps += wayUp(byStop: byStop, step.phase) }
        var attempted = plan.steps[..<index].map(\.action)
        if case .notBegun = event {} else { attempted.append(step.action) }
        let isTargetTouched = attempted.contains(where: isTargetSet)
        if isTargetTouched {
            steps += TransferPlan.letGo(.target, step.phase)
        }
        if attempted.contains(.createImage) {
            steps.append(TransferStep(step.phase, .discardImage))
        }
        state = .rollingBack(
            Rollback(
                cause: cause,
                steps: steps,
                source: source,
                target: isTargetTouched ? .emptied : .untouched,
                triedTwice: byStop
            )
        )
    }

    mutating func continueRollback(_ rollback: Rollback, _ event: TransferEvent) {
        var rollback = rollback
        let step = rollback.steps.removeFirst()
        note(step.action, event)
        if let problem = event.problem {
            switch step.action {
            case .abort: didMissAbort(&rollback, problem)
            case .set(.source, _): didFailUp(&rollback, step.phase, problem, event)
            case .reset(.target): rollback.target = .uncertain
            default: break
            }
            if rollback.obstacle != problem { warnings.append(problem.detail) }
        }
        state = .rollingBack(rollback)
    }

    /// The sources resume only behind a durable abort; sources that never stopped may stay running.
    private func didMissAbort(_ rollback: inout Rollback, _ problem: Problem) {
        guard !sourceStates.canAllAct else { return }
        rollback.isAbortMissing = plan.kind == .migrate
        rollback.obstacle = problem
        rollback.steps.removeAll(where: isSourceSet)
    }

    private func didFailUp(
        _ rollback: inout Rollback,
        _ phase: JobPhase,
        _ problem: Problem,
        _ event: TransferEvent
    ) {
        rollback.steps.removeAll(where: isSourceSet)
        rollback.source = fate(of: .source, after: event)
        let isBeyondRetry = rollback.triedTwice || isStuckInPreCopy(event)
        if rollback.source == .untouched, isBeyondRetry { rollback.source = .uncertain }
        guard rollback.source == .untouched else {
            rollback.obstacle = problem
            return
        }
        rollback.triedTwice = true
        rollback.steps = wayUp(byStop: true, phase) + rollback.steps
    }

    /// Whether leaving pre-copy itself failed.
    ///
    /// A driver may have torn down its stream by then and trip over it on the next try (mlx5), so
    /// there is none.
    private func isStuckInPreCopy(_ event: TransferEvent) -> Bool {
        guard case .failed(_, .source, let reported) = event else { return false }
        switch reported {
        case .known(.preCopy), .known(.preCopyP2P): return true
        case .known: return false
        case .unknown, nil:
            return !sourceStates.possible.isDisjoint(with: [.preCopy, .preCopyP2P])
        }
    }

    private func isSourceSet(_ step: TransferStep) -> Bool {
        if case .set(.source, _) = step.action { true } else { false }
    }

    private func isTargetSet(_ action: TransferAction) -> Bool {
        if case .set(.target, _) = action { true } else { false }
    }

    /// The SETs that take the sources to RUNNING from wherever they are.
    private func wayUp(byStop: Bool, _ phase: JobPhase) -> [TransferStep] {
        let running = TransferStep(phase, .set(.source, .running))
        if sourceStates.areAllRunning { return [] }
        if sourceStates.mayReachPeers { return [running] }
        let up = TransferPlan.up(.source, plan.sourceFlags).map { TransferStep(phase, $0.action) }
        return (byStop ? [TransferStep(phase, .set(.source, .stop))] : []) + up
    }

    func outcome(of rollback: Rollback) -> TransferOutcome {
        let isCancel = rollback.cause.code == .cancelled
        let before: MayRun = plan.hasSource ? .source : .nobody
        // What ends the job is what kept the sources down, not what the way back began with.
        let problem = rollback.obstacle ?? rollback.cause
        let (state, mayRun): (JobState, MayRun) =
            switch rollback.source {
            case .uncertain: (.indeterminate(problem), .unknown)
            case .lost: (.failed(problem), .nobody)
            case _ where rollback.isAbortMissing: (.indeterminate(problem), .nobody)
            default: (isCancel ? .cancelled : .failed(rollback.cause), before)
            }
        return TransferOutcome(
            state: state,
            mayRun: mayRun,
            source: rollback.source,
            target: rollback.target,
            warnings: warnings + (problem == rollback.cause ? [] : [rollback.cause.detail])
        )
    }
}
