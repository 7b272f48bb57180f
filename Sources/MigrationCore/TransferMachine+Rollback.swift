extension TransferMachine {
    /// What is left to do to take a transfer back, and what it has come to so far.
    struct Rollback: Hashable, Sendable {
        let cause: Problem
        var steps: [TransferStep]
        /// What was done to the targets that did not refuse it.
        var targets: ContentFate
        /// Whether the second way up was taken; there is no third one.
        var triedTwice: Bool
        /// Whether a commit record may have been written.
        var isCommitDoubtful = false
        /// Whether the sources must stay as they are because the abort record is not written.
        var isAbortMissing = false
        /// What kept sources from running again.
        var obstacle: Problem?
    }

    mutating func beginRollback(_ cause: Problem, at index: Int, _ event: TransferEvent) {
        let step = plan.steps[index]
        // A target is reset whatever became of it.
        if case .failed(let failure) = event, failure.side == .source {
            sourceStates.giveUpLost(after: failure)
        }
        // A PRE_COPY_P2P→STOP_COPY that failed leaves a stream nobody can trust: leave it by STOP.
        var byStop = sourceStates.isStrange
        if case .failed = event, step.action == .set(.source, .stopCopy) {
            byStop = byStop || sourceStates.mayBe(in: [.preCopyP2P])
        }
        var attempted = plan.steps[..<index].map(\.action)
        if case .notBegun = event {} else { attempted.append(step.action) }
        startRollback(
            cause,
            step.phase,
            byStop: byStop,
            isTargetTouched: attempted.contains(where: isTargetSet),
            isImageBegun: attempted.contains(.createImage)
        )
        guard case .rollingBack(var rollback) = state, step.action == .commit else { return }
        rollback.isCommitDoubtful = true
        state = .rollingBack(rollback)
    }

    /// Begins to take back what was done, whoever did it.
    mutating func startRollback(
        _ cause: Problem,
        _ phase: JobPhase,
        byStop: Bool,
        isTargetTouched: Bool,
        isImageBegun: Bool,
        isAborted: Bool = false
    ) {
        var steps: [TransferStep] = []
        if plan.hasCommit, !isAborted { steps.append(TransferStep(phase, .abort(cause))) }
        steps += wayUp(byStop: byStop, phase)
        if isTargetTouched { steps += TransferPlan.letGo(.target, phase) }
        if isImageBegun { steps.append(TransferStep(phase, .discardImage)) }
        state = .rollingBack(
            Rollback(
                cause: cause,
                steps: steps,
                targets: isTargetTouched ? .emptied : .untouched,
                triedTwice: byStop
            )
        )
    }

    mutating func continueRollback(_ rollback: Rollback, _ event: TransferEvent) {
        var rollback = rollback
        let step = rollback.steps.removeFirst()
        note(step.action, event)
        guard let problem = event.problem else {
            state = .rollingBack(rollback)
            return
        }
        switch step.action {
        case .abort where rollback.isCommitDoubtful:
            return didMissDoubtfulAbort(rollback.cause, problem)
        case .abort: didMissAbort(&rollback, step.phase, problem)
        case .set(.source, _): didFailUp(&rollback, step, problem, event)
        case .reset(.target): didFailReset(event)
        default: break
        }
        if rollback.obstacle != problem { warnings.append(problem.detail) }
        state = .rollingBack(rollback)
    }

    /// A commit record that failed to be written stands in the store, or may: only the targets can
    /// ever run then, and as long as nobody knows, nobody does.
    private mutating func didMissDoubtfulAbort(_ cause: Problem, _ problem: Problem) {
        if problem.code == .jobCommitted {
            warnings.append(cause.detail)
            let next = decisionIndex + 1
            state = next < plan.steps.count ? .forward(next) : .finished(success)
            return
        }
        warnings.append(problem.detail)
        finish(.indeterminate(cause), mayRun: .nobody, targets: .loaded)
    }

    /// The sources resume only behind a durable abort; sources that never stopped may stay running,
    /// and are not stopped on their way.
    private func didMissAbort(
        _ rollback: inout Rollback,
        _ phase: JobPhase,
        _ problem: Problem
    ) {
        rollback.steps.removeAll(where: isSourceSet)
        if sourceStates.canAllAct {
            rollback.steps = wayUp(byStop: false, phase) + rollback.steps
            // The second way would stop them.
            rollback.triedTwice = true
        } else {
            rollback.isAbortMissing = plan.kind == .migrate
            rollback.obstacle = problem
        }
    }

    private mutating func didFailReset(_ event: TransferEvent) {
        guard case .failed(let failure) = event else { return }
        for member in targetStates.active {
            // Without a device to blame any of them may not be reset.
            let isDone = failure.members[member] == .done
            if !isDone { targetStates.giveUp(member, as: .uncertain) }
        }
    }

    /// A device of the set did not come up: it may try once more by way of STOP, with the others,
    /// or is given up, and the others go on without it.
    private mutating func didFailUp(
        _ rollback: inout Rollback,
        _ step: TransferStep,
        _ problem: Problem,
        _ event: TransferEvent
    ) {
        guard case .failed(let failure) = event else { return }
        sourceStates.giveUpLost(after: failure)
        var mayRetry = false
        for member in sourceStates.active where failure.mayConcern(member) {
            if rollback.triedTwice || isStuckInPreCopy(member, failure) {
                sourceStates.giveUp(member, as: .uncertain)
            } else {
                mayRetry = true
            }
        }
        if mayRetry {
            rollback.triedTwice = true
            rollback.steps.removeAll(where: isSourceSet)
            rollback.steps = wayUp(byStop: true, step.phase) + rollback.steps
        } else {
            rollback.obstacle = rollback.obstacle ?? problem
            if sourceStates.active.isEmpty {
                rollback.steps.removeAll(where: isSourceSet)
            } else if sourceStates.active.contains(where: { failure.members[$0] != .done }) {
                // Those that were not SET beside the one that failed still have to be.
                rollback.steps.insert(step, at: 0)
            }
        }
    }

    /// Whether leaving pre-copy itself failed.
    ///
    /// A driver may have torn down its stream by then and trip over it on the next try (mlx5), so
    /// there is none.
    private func isStuckInPreCopy(_ member: Int, _ failure: FailedAction) -> Bool {
        guard case .failed(_, let reported)? = failure.members[member] else { return false }
        switch reported {
        case .known(.preCopy), .known(.preCopyP2P): return true
        case .known: return false
        case .unknown, nil:
            return !sourceStates.possible(member).isDisjoint(with: [.preCopy, .preCopyP2P])
        }
    }

    private func isSourceSet(_ step: TransferStep) -> Bool {
        if case .set(.source, _) = step.action { true } else { false }
    }

    private func isTargetSet(_ action: TransferAction) -> Bool {
        if case .set(.target, _) = action { true } else { false }
    }

    /// The SETs that take the sources to RUNNING from wherever they are.
    func wayUp(byStop: Bool, _ phase: JobPhase) -> [TransferStep] {
        let running = TransferStep(phase, .set(.source, .running))
        if sourceStates.areAllRunning { return [] }
        if sourceStates.mayReachPeers { return [running] }
        let up = TransferPlan.up(.source, plan.sourceFlags).map { TransferStep(phase, $0.action) }
        return (byStop ? [TransferStep(phase, .set(.source, .stop))] : []) + up
    }

    func outcome(of rollback: Rollback) -> TransferOutcome {
        let isCancel = rollback.cause.code == .cancelled
        let before: MayRun = plan.hasSource ? .source : .nobody
        let spoilt = sourceStates.spoilt.values
        // What ends the job is what kept sources down, not what the way back began with.
        let problem = rollback.obstacle ?? rollback.cause
        let (state, mayRun): (JobState, MayRun) =
            if spoilt.contains(.uncertain) {
                (.indeterminate(problem), .unknown)
            } else if rollback.isAbortMissing {
                (.indeterminate(problem), .nobody)
            } else if plan.hasSource, sourceStates.active.isEmpty {
                (.failed(problem), .nobody)
            } else if isCancel, spoilt.isEmpty {
                (.cancelled, before)
            } else {
                (.failed(spoilt.isEmpty ? rollback.cause : problem), before)
            }
        return TransferOutcome(
            state: state,
            mayRun: mayRun,
            sources: sourceStates.fates(others: .untouched),
            targets: targetStates.fates(others: rollback.targets),
            warnings: warnings + (problem == rollback.cause ? [] : [rollback.cause.detail])
        )
    }
}

extension FailedAction {
    /// Whether a device failed, or may have: when no device is named, any may have.
    fileprivate func mayConcern(_ member: Int) -> Bool {
        if members.isEmpty { return true }
        if case .failed? = members[member] { return true }
        return false
    }
}
