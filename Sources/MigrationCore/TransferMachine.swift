/// The machine of save, restore, migrate and reset: pure, total, and the same for all of them.
///
///     forward ──(last step done)────────────────────────────▶ finished: succeeded
///        │
///        ├─(failure or interruption before the decision)─▶ rolling back ─▶ failed, cancelled
///        │      abort record, sources to RUNNING,               │
///        │      targets reset and closed                        └─(a source will not)
///        │                                                            ▶ failed, indeterminate
///        ├─(commit record not written)────────────────────────▶ finished: indeterminate
///        └─(a target does not start)─▶ stopping: targets to STOP ▶ finished: indeterminate
///
/// The decision is the commit of a restore or migrate, the seal of a save, the reset of a reset.
/// The caller performs each instruction and feeds back what became of it. An interruption (cancel,
/// timeout, unplug) is given along and counts only before the decision is attempted.
package struct TransferMachine: Sendable {
    private enum State: Hashable, Sendable {
        case forward(Int)
        case rollingBack(Rollback)
        case stopping(Problem)
        case finished(TransferOutcome)
    }

    package let plan: TransferPlan
    private let decisionIndex: Int
    private var state = State.forward(0)
    private var sourceState = ReportedState.known(.running)
    private var switchover: SwitchoverDecision
    private var warnings: [String] = []

    package init(plan: TransferPlan, switchover: SwitchoverDecision) {
        self.plan = plan
        self.switchover = switchover
        self.decisionIndex = plan.decisionIndex
    }

    /// What to do now: the first instruction before any event, then always the last one given.
    package var instruction: TransferInstruction {
        switch state {
        case .forward(let index):
            let step = plan.steps[index]
            guard step.action == .preCopyRound, switchover.isWaitingForGate else {
                return .perform(step)
            }
            return .perform(TransferStep(.awaitingSwitchover, .preCopyRound))
        case .rollingBack(let rollback):
            guard let step = rollback.steps.first else { return .finish(outcome(of: rollback)) }
            return .perform(step)
        case .stopping: return .perform(TransferStep(.start, .set(.target, .stop)))
        case .finished(let outcome): return .finish(outcome)
        }
    }

    /// Whether the transfer can still be called off.
    package var isCancellable: Bool {
        guard case .forward(let index) = state else { return false }
        return index < decisionIndex
    }

    /// Whether the transfer is being taken back, which nothing may stop.
    package var isRollingBack: Bool {
        guard case .rollingBack = state else { return false }
        return true
    }

    /// Why the switchover has not come yet; empty outside pre-copy.
    package var switchoverBlockedBy: [String] {
        guard case .forward(let index) = state, plan.steps[index].action == .preCopyRound else {
            return []
        }
        return switchover.blockedBy
    }

    /// Whether pre-copy runs, so that ``openGate()`` means something.
    package var isInPreCopy: Bool {
        guard case .forward(let index) = state else { return false }
        return plan.steps[index].action == .preCopyRound
    }

    /// The downtime the last round leads to expect.
    package var expectedDowntimeNanoseconds: UInt64? { switchover.expectedDowntimeNanoseconds }

    /// Ends a transfer of which nothing was performed yet.
    package mutating func abandon(_ cause: Problem) {
        guard state == .forward(0) else { return }
        finish(
            cause.code == .cancelled ? .cancelled : .failed(cause),
            mayRun: plan.hasSource ? .source : .nobody,
            source: .untouched,
            target: .untouched
        )
    }

    /// Lets a manual switchover go; overrules the downtime limit of an automatic one.
    package mutating func openGate() { switchover.isGateOpen = true }

    /// Takes what became of the last instruction and gives the next one.
    package mutating func next(
        after event: TransferEvent,
        interruption: Problem? = nil
    ) -> TransferInstruction {
        switch state {
        case .forward(let index): advance(from: index, event, interruption)
        case .rollingBack(let rollback): continueRollback(rollback, event)
        case .stopping(let cause): finishStopped(cause, event)
        case .finished: break
        }
        return instruction
    }

    /// Learns from an event where the sources are.
    private mutating func note(_ action: TransferAction, _ event: TransferEvent) {
        switch (event, action) {
        case (.done, .set(.source, let reached)): sourceState = .known(reached)
        case (.failed(_, .source, let reported?), _): sourceState = reported
        default: break
        }
    }

    private mutating func move(past index: Int) {
        let next = index + 1
        state = next < plan.steps.count ? .forward(next) : .finished(success)
    }

    private mutating func finish(
        _ jobState: JobState,
        mayRun: MayRun,
        source: ContentFate,
        target: ContentFate
    ) {
        state = .finished(
            TransferOutcome(
                state: jobState,
                mayRun: mayRun,
                source: source,
                target: target,
                warnings: warnings
            )
        )
    }
}

// MARK: - Forward

extension TransferMachine {
    private mutating func advance(
        from index: Int,
        _ event: TransferEvent,
        _ interruption: Problem?
    ) {
        let action = plan.steps[index].action
        note(action, event)
        if case .failed(let problem, _, let reported) = event {
            return didFail(at: index, problem, reported)
        }
        if case .roundDone(let round) = event { switchover.didRound(round) }
        if let interruption, index < decisionIndex {
            return beginRollback(interruption, at: index)
        }
        if action == .preCopyRound, !switchover.isMade { return }
        move(past: index)
    }

    private mutating func didFail(at index: Int, _ problem: Problem, _ reported: ReportedState?) {
        switch plan.steps[index].action {
        case .commit:
            // Whether the record reached the disk is not known, so nobody may run.
            finish(.indeterminate(problem), mayRun: .nobody, source: .untouched, target: .loaded)
        case .sealImage:
            beginRollback(problem, at: index)
        case .set(.target, _) where index > decisionIndex:
            if reported == .known(.error) {
                finish(.indeterminate(problem), mayRun: .nobody, source: .untouched, target: .lost)
            } else {
                state = .stopping(problem)
            }
        case _ where index < decisionIndex:
            beginRollback(problem, at: index)
        case .reset where plan.kind == .reset:
            finish(.failed(problem), mayRun: .nobody, source: .uncertain, target: .untouched)
        default:
            // The content has moved; what cannot be tidied up behind it undoes nothing.
            warnings.append(problem.detail)
            move(past: index)
        }
    }

    /// The targets did not all start: whatever became of the way back, the source never runs.
    private mutating func finishStopped(_ cause: Problem, _ event: TransferEvent) {
        switch event {
        case .done, .roundDone:
            finish(.indeterminate(cause), mayRun: .nobody, source: .untouched, target: .loaded)
        case .failed(let problem, _, let reported):
            warnings.append(problem.detail)
            switch reported {
            case .known(.error):
                finish(.indeterminate(cause), mayRun: .nobody, source: .untouched, target: .lost)
            case .known(let stopped) where !stopped.canAct:
                finish(.indeterminate(cause), mayRun: .nobody, source: .untouched, target: .loaded)
            default:
                finish(
                    .indeterminate(cause),
                    mayRun: .unknown,
                    source: .untouched,
                    target: .uncertain
                )
            }
        }
    }

    private var success: TransferOutcome {
        let (mayRun, source, target): (MayRun, ContentFate, ContentFate) =
            switch plan.kind {
            case .save: (.source, .untouched, .untouched)
            case .restore: (.target, .untouched, .loaded)
            case .migrate: (.target, .emptied, .loaded)
            case .reset: (.nobody, .emptied, .untouched)
            }
        return TransferOutcome(
            state: .succeeded,
            mayRun: mayRun,
            source: source,
            target: target,
            warnings: warnings
        )
    }
}

// MARK: - Back

extension TransferMachine {
    /// What is left to do to take a transfer back, and what it has come to so far.
    private struct Rollback: Hashable, Sendable {
        let cause: Problem
        var steps: [TransferStep]
        var source: ContentFate
        var target: ContentFate
        /// Whether the way over STOP was tried; there is no third one.
        var triedStop: Bool
        /// Whether the sources must stay as they are because the abort record is not written.
        var isAbortMissing = false
    }

    private mutating func beginRollback(_ cause: Problem, at index: Int) {
        let step = plan.steps[index]
        // A STOP_COPY that failed leaves a pre-copy stream nobody can trust: leave it by STOP.
        let byStop = step.action == .set(.source, .stopCopy) && cause.facts.errno != nil
        var steps: [TransferStep] = []
        if plan.hasCommit { steps.append(TransferStep(step.phase, .abort(cause))) }
        steps += wayUp(byStop: byStop, step.phase)
        let attempted = plan.steps[...index].map(\.action)
        let isTargetTouched = attempted.contains { action in
            if case .set(.target, _) = action { true } else { false }
        }
        if isTargetTouched {
            steps.append(TransferStep(step.phase, .reset(.target)))
            steps.append(TransferStep(step.phase, .close(.target)))
        }
        if attempted.contains(.createImage) {
            steps.append(TransferStep(step.phase, .discardImage))
        }
        state = .rollingBack(
            Rollback(
                cause: cause,
                steps: steps,
                source: sourceFate,
                target: isTargetTouched ? .emptied : .untouched,
                triedStop: byStop
            )
        )
    }

    private mutating func continueRollback(_ rollback: Rollback, _ event: TransferEvent) {
        var rollback = rollback
        let step = rollback.steps.removeFirst()
        note(step.action, event)
        if case .failed(let problem, _, _) = event {
            warnings.append(problem.detail)
            switch step.action {
            case .abort: didMissAbort(&rollback)
            case .set(.source, _): didFailUp(&rollback, step.phase)
            case .reset(.target): rollback.target = .uncertain
            default: break
            }
        }
        state = .rollingBack(rollback)
    }

    /// The sources resume only behind a durable abort; sources that never stopped may stay running.
    private func didMissAbort(_ rollback: inout Rollback) {
        if case .known(let state) = sourceState, state.canAct { return }
        rollback.isAbortMissing = plan.kind == .migrate
        rollback.steps.removeAll(where: isSourceSet)
    }

    private func didFailUp(_ rollback: inout Rollback, _ phase: JobPhase) {
        rollback.steps.removeAll(where: isSourceSet)
        rollback.source = sourceFate
        guard rollback.source == .untouched else { return }
        if rollback.triedStop {
            rollback.source = .uncertain
        } else {
            rollback.triedStop = true
            rollback.steps = wayUp(byStop: true, phase) + rollback.steps
        }
    }

    private func isSourceSet(_ step: TransferStep) -> Bool {
        if case .set(.source, _) = step.action { true } else { false }
    }

    /// What the state the sources report says of their content.
    private var sourceFate: ContentFate {
        switch sourceState {
        case .known(.error): .lost
        case .known(.resuming): .uncertain
        case .known, .unknown: .untouched
        }
    }

    /// The SETs that take the sources from where they are to RUNNING.
    private func wayUp(byStop: Bool, _ phase: JobPhase) -> [TransferStep] {
        let up = TransferPlan.up(.source, plan.sourceFlags).map { TransferStep(phase, $0.action) }
        switch sourceState {
        case .known(.error), .known(.resuming), .known(.running): return []
        case .known(.preCopy): return [TransferStep(phase, .set(.source, .running))]
        case .known(.stop), .known(.runningP2P): return up
        case .known(.stopCopy), .known(.preCopyP2P), .unknown:
            return (byStop ? [TransferStep(phase, .set(.source, .stop))] : []) + up
        }
    }

    private func outcome(of rollback: Rollback) -> TransferOutcome {
        let isCancel = rollback.cause.code == .cancelled
        let before: MayRun = plan.hasSource ? .source : .nobody
        let (state, mayRun): (JobState, MayRun) =
            switch rollback.source {
            case .uncertain: (.indeterminate(rollback.cause), .unknown)
            case .lost: (.failed(rollback.cause), .nobody)
            case _ where rollback.isAbortMissing: (.indeterminate(rollback.cause), .nobody)
            default: (isCancel ? .cancelled : .failed(rollback.cause), before)
            }
        return TransferOutcome(
            state: state,
            mayRun: mayRun,
            source: rollback.source,
            target: rollback.target,
            warnings: warnings
        )
    }
}
