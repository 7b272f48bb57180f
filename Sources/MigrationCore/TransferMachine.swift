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
    enum State: Hashable, Sendable {
        case forward(Int)
        case rollingBack(Rollback)
        case stopping(Stopping)
        case finished(TransferOutcome)
    }

    package let plan: TransferPlan
    let decisionIndex: Int
    var state = State.forward(0)
    var sourceStates: SideStates
    var targetStates: SideStates
    private var switchover: SwitchoverDecision
    var warnings: [String] = []
    /// What tidying up behind the decision did to the sources, when it went wrong.
    private var untidySource: ContentFate?

    package init(plan: TransferPlan, switchover: SwitchoverDecision) {
        self.plan = plan
        self.switchover = switchover
        self.decisionIndex = plan.decisionIndex
        self.sourceStates = SideStates(.running, flags: plan.sourceFlags)
        self.targetStates = SideStates(.running, flags: plan.targetFlags)
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
        case .stopping(let stopping): return .perform(stopping.step)
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

    /// Whether the decision is behind it, one way or the other, so that only the way on is left.
    package var isDecided: Bool {
        switch state {
        case .forward(let index): index > decisionIndex
        case .rollingBack, .stopping, .finished: true
        }
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
        return plan.steps[index].phase == .preCopy
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

    /// Whether the switchover was asked for, so that a round of pre-copy need not be read to its
    /// end: what it leaves comes in STOP_COPY.
    package var isGateOpen: Bool { switchover.isGateOpen }

    /// Takes what became of the last instruction and gives the next one.
    package mutating func next(
        after event: TransferEvent,
        interruption: Problem? = nil
    ) -> TransferInstruction {
        switch state {
        case .forward(let index): advance(from: index, event, interruption)
        case .rollingBack(let rollback): continueRollback(rollback, event)
        case .stopping(let stopping): continueStopping(stopping, event)
        case .finished: break
        }
        return instruction
    }

    /// Learns from an event where the devices can be.
    mutating func note(_ action: TransferAction, _ event: TransferEvent) {
        if case .notBegun = event { return }
        if case .set(let side, let target) = action {
            change(side) { states in
                if case .failed = event {
                    states.didFail(toSet: target)
                } else {
                    states.didSet(target)
                }
            }
        }
        if case .failed(_, let side?, let reported?) = event {
            change(side) { $0.didReport(reported) }
        }
    }

    private mutating func change(_ side: Side, _ body: (inout SideStates) -> Void) {
        switch side {
        case .source: body(&sourceStates)
        case .target: body(&targetStates)
        }
    }

    /// What a failure says of the content of a side.
    func fate(of side: Side, after event: TransferEvent) -> ContentFate {
        guard case .failed(let problem, side, let reported) = event else { return .untouched }
        if problem.code == .contentLost { return .lost }
        return (side == .source ? sourceStates : targetStates).fate(of: reported)
    }

    private mutating func move(past index: Int) {
        let next = index + 1
        state = next < plan.steps.count ? .forward(next) : .finished(success)
    }

    mutating func finish(
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
        if let problem = event.problem { return didFail(at: index, problem, event) }
        if case .roundDone(let round) = event { switchover.didRound(round) }
        if let interruption, index < decisionIndex {
            return beginRollback(interruption, at: index, event)
        }
        if action == .preCopyRound, !switchover.isMade { return }
        move(past: index)
    }

    private mutating func didFail(at index: Int, _ problem: Problem, _ event: TransferEvent) {
        switch plan.steps[index].action {
        case .commit:
            // Whether the record reached the disk is not known, so nobody may run.
            finish(.indeterminate(problem), mayRun: .nobody, source: .untouched, target: .loaded)
        case .sealImage:
            beginRollback(problem, at: index, event)
        case .set(.target, _) where index > decisionIndex:
            beginStopping(problem, event)
        case _ where index < decisionIndex:
            beginRollback(problem, at: index, event)
        case .reset where plan.kind == .reset:
            // Without a device to blame none was touched.
            var source = ContentFate.untouched
            if case .failed(_, .source, _) = event { source = .uncertain }
            finish(.failed(problem), mayRun: .nobody, source: source, target: .untouched)
        case let action:
            // The content has moved; what cannot be tidied up behind it undoes nothing.
            warnings.append(problem.detail)
            if action == .reset(.source) { untidySource = .uncertain }
            if plan.kind == .save, fate(of: .source, after: event) == .lost {
                untidySource = .lost
            }
            move(past: index)
        }
    }

    private var success: TransferOutcome {
        let (mayRun, source, target): (MayRun, ContentFate, ContentFate) =
            switch plan.kind {
            // A source that was stopped for its image must not run beside what is made of it.
            case .save: (plan.leavesSourceRunning ? .source : .nobody, .untouched, .untouched)
            case .restore: (.target, .untouched, .loaded)
            case .migrate: (.target, .emptied, .loaded)
            case .reset: (.nobody, .emptied, .untouched)
            }
        return TransferOutcome(
            state: .succeeded,
            mayRun: mayRun,
            source: untidySource ?? source,
            target: target,
            warnings: warnings
        )
    }
}
