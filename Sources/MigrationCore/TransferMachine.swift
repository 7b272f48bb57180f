/// The machine of save, restore, migrate and reset: pure, total, and the same for all of them.
///
///     forward ──(last step done)────────────────────────────▶ finished: succeeded
///        │
///        ├─(failure or interruption before the decision)─▶ rolling back ─▶ failed, cancelled
///        │      abort record, sources to RUNNING,               │
///        │      targets reset and closed                        └─(a source will not)
///        │                                                            ▶ failed, indeterminate
///        ├─(commit record not written)─▶ rolling back by an abort record, or, when that cannot be
///        │      written either, ──────────────────────────────▶ finished: indeterminate
///        └─(a target does not start)─▶ stopping: targets to STOP ▶ finished: indeterminate
///
/// The decision is the commit of a restore or migrate, the seal of a save, the reset of a reset.
/// The caller performs each instruction and feeds back what became of it. An interruption (cancel,
/// timeout, unplug) is given along and counts only before the decision is attempted.
///
/// An action is for every device of its side that is not given up (``active(_:)``).
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
    private(set) package var switchover: SwitchoverDecision
    var warnings: [String] = []
    /// What tidying up behind the decision did to sources, where it went wrong.
    private var untidySources: [Int: ContentFate] = [:]

    /// A transfer of devices in RUNNING, with the flags of each; those of a side in one order.
    package init(
        plan: TransferPlan,
        switchover: SwitchoverDecision,
        sources: [MigrationFlags],
        targets: [MigrationFlags]
    ) {
        self.plan = plan
        self.switchover = switchover
        self.decisionIndex = plan.decisionIndex
        self.sourceStates = SideStates(.running, flags: sources)
        self.targetStates = SideStates(.running, flags: targets)
    }

    /// The machine of a transfer that a dead daemon began, its devices as they are now.
    init(
        resuming plan: TransferPlan,
        sources: SideStates,
        targets: SideStates
    ) {
        self.plan = plan
        self.switchover = SwitchoverDecision(mode: .auto, downtimeLimitMilliseconds: 0)
        self.decisionIndex = plan.decisionIndex
        self.sourceStates = sources
        self.targetStates = targets
    }

    /// The devices of a side, by their number in the set, that actions are performed on.
    package func active(_ side: Side) -> [Int] {
        side == .source ? sourceStates.active : targetStates.active
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
        case .stopping(let stopping):
            // A way back without steps has ended (`proceed`).
            guard let step = stopping.steps.first else { return .finish(success) }
            return .perform(step)
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

    /// Whether nothing of it was performed yet.
    package var isUnbegun: Bool { state == .forward(0) }

    /// Whether devices are being brought out of where they are, each for itself.
    package var isOnWayBack: Bool {
        switch state {
        case .forward: false
        case .rollingBack, .stopping, .finished: true
        }
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

    /// How long pre-copy has come no nearer to its end; nil outside pre-copy and at the gate.
    package func stalledNanoseconds(at now: UInt64) -> UInt64? {
        isInPreCopy ? switchover.stalledNanoseconds(at: now) : nil
    }

    /// Ends a transfer of which nothing was performed yet.
    package mutating func abandon(_ cause: Problem) {
        guard isUnbegun else { return }
        finish(
            cause.code == .cancelled ? .cancelled : .failed(cause),
            mayRun: plan.hasSource ? .source : .nobody
        )
    }

    /// Lets a manual switchover go; overrules the downtime limit of an automatic one.
    package mutating func openGate() { switchover.isGateOpen = true }

    /// Changes the downtime that pre-copy aims at.
    package mutating func setDowntimeLimit(milliseconds: UInt64) {
        switchover.setDowntimeLimit(milliseconds: milliseconds)
    }

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
                if case .failed(let failure) = event {
                    states.didFail(toSet: target, failure)
                } else {
                    states.didSet(target)
                }
            }
        }
        if case .failed(let failure) = event, let side = failure.side {
            change(side) { $0.didReport(failure) }
        }
    }

    mutating func change(_ side: Side, _ body: (inout SideStates) -> Void) {
        switch side {
        case .source: body(&sourceStates)
        case .target: body(&targetStates)
        }
    }

    private mutating func move(past index: Int) {
        let next = index + 1
        state = next < plan.steps.count ? .forward(next) : .finished(success)
    }

    /// Ends; devices that were given up keep what became of them.
    mutating func finish(
        _ jobState: JobState,
        mayRun: MayRun,
        sources: ContentFate = .untouched,
        targets: ContentFate = .untouched
    ) {
        state = .finished(
            TransferOutcome(
                state: jobState,
                mayRun: mayRun,
                sources: sourceStates.fates(others: sources),
                targets: targetStates.fates(others: targets),
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
        if case .roundDone(let rounds, let now) = event { switchover.didRound(rounds, at: now) }
        if let interruption, index < decisionIndex {
            return beginRollback(interruption, at: index, event)
        }
        if action == .preCopyRound, !switchover.isMade { return }
        move(past: index)
    }

    private mutating func didFail(at index: Int, _ problem: Problem, _ event: TransferEvent) {
        switch plan.steps[index].action {
        // Whether a commit record reached the disk is not known: only an abort that the store takes
        // proves that it did not.
        case .commit, .sealImage: beginRollback(problem, at: index, event)
        case .set(.target, _) where index > decisionIndex: beginStopping(problem, event)
        case _ where index < decisionIndex: beginRollback(problem, at: index, event)
        case .reset where plan.kind == .reset:
            if case .failed(let failure) = event {
                for case (let member, .failed) in failure.members {
                    sourceStates.giveUp(member, as: .uncertain)
                }
            }
            // Those that were RESET before, or beside, the one that failed.
            let others: ContentFate = event.didAny ? .emptied : .untouched
            finish(.failed(problem), mayRun: .nobody, sources: others)
        case let action:
            // The content has moved; what cannot be tidied up behind it undoes nothing.
            didLeaveUntidy(action, problem, event)
            move(past: index)
        }
    }

    private mutating func didLeaveUntidy(
        _ action: TransferAction,
        _ problem: Problem,
        _ event: TransferEvent
    ) {
        warnings.append(problem.detail)
        guard case .failed(let failure) = event else { return }
        for case (let member, .failed) in failure.members where failure.side == .source {
            if action == .reset(.source) { untidySources[member] = .uncertain }
            if plan.kind == .save, sourceStates.fate(of: member, after: failure) == .lost {
                untidySources[member] = .lost
            }
        }
    }

    var success: TransferOutcome {
        let (mayRun, source, target): (MayRun, ContentFate, ContentFate) =
            switch plan.kind {
            // A source that was stopped for its image must not run beside what is made of it.
            case .save: (plan.leavesSourceRunning ? .source : .nobody, .untouched, .untouched)
            case .restore: (.target, .untouched, .loaded)
            case .migrate: (.target, .emptied, .loaded)
            case .reset: (.nobody, .emptied, .untouched)
            }
        var sources = sourceStates.fates(others: source)
        for (member, fate) in untidySources { sources[member] = fate }
        return TransferOutcome(
            state: .succeeded,
            mayRun: mayRun,
            sources: sources,
            targets: targetStates.fates(others: target),
            warnings: warnings
        )
    }
}

extension TransferEvent {
    /// Whether a device that did not fail an action has done it.
    fileprivate var didAny: Bool {
        guard case .failed(let failure) = self else { return false }
        return failure.members.values.contains(.done)
    }
}
