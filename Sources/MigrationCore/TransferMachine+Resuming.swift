extension TransferMachine {
    /// Goes on with a transfer whose daemon died, with the devices that outlived it.
    ///
    /// A stream is never continued, for how much of it was read nobody can prove: before the
    /// decision everything is taken back, behind it there is only the way on. `reported` is what
    /// each device says now, nil for one that did not outlive the daemon.
    package init(
        resuming plan: TransferPlan,
        _ facts: JournalFacts,
        sources: [Survivor],
        targets: [Survivor]
    ) {
        self.init(
            resuming: plan,
            sources: Self.states(of: sources, facts),
            targets: Self.states(of: targets, facts)
        )
        if facts.isCommitted || facts.isImageSealed {
            goOn(facts)
        } else if facts.isIncomplete {
            finish(.indeterminate(JournalFacts.unreadable), mayRun: .unknown)
        } else {
            startRollback(
                facts.cause,
                .prepare,
                byStop: true,
                isTargetTouched: targets.contains { facts.isTouched($0.device) },
                isImageBegun: false,
                isAborted: facts.isAborted
            )
        }
    }

    /// Goes on with a transfer that ended indeterminate, as somebody decided.
    ///
    /// `target` takes it from its commit on, `source` takes it back.
    package init(
        resolving plan: TransferPlan,
        _ side: MayRun,
        _ facts: JournalFacts,
        sources: [Survivor],
        targets: [Survivor]
    ) {
        self.init(
            resuming: plan,
            sources: Self.states(of: sources, facts),
            targets: Self.states(of: targets, facts)
        )
        if side == .target {
            if facts.isCommitted || !targetStates.spoilt.isEmpty {
                goOn(facts)
            } else {
                state = .forward(decisionIndex)
            }
        } else {
            startRollback(
                Problem(.cancelled, "Somebody resolved the job: the source runs on."),
                .prepare,
                byStop: true,
                isTargetTouched: targets.contains { $0.reported != nil },
                isImageBegun: false,
                // A commit stands in the store, and no abort can follow it: the targets are fenced.
                isAborted: facts.isAborted || facts.isCommitted
            )
        }
    }

    /// A device of a transfer whose daemon died.
    package struct Survivor: Hashable, Sendable {
        package let device: DeviceID
        package let flags: MigrationFlags
        /// What it says now; nil when it did not survive.
        package let reported: ReportedState?

        package init(device: DeviceID, flags: MigrationFlags, reported: ReportedState?) {
            self.device = device
            self.flags = flags
            self.reported = reported
        }
    }

    private static func states(of survivors: [Survivor], _ facts: JournalFacts) -> SideStates {
        SideStates(
            survivors.map { survivor in
                DeviceStates(
                    facts.possibleStates(of: survivor.device, flags: survivor.flags),
                    flags: survivor.flags
                )
            },
            reported: survivors.map(\.reported)
        )
    }

    /// A commit with a target that lost its content is never success: the others stop, and nobody
    /// runs.
    private mutating func goOn(_ facts: JournalFacts) {
        warnings.append(facts.cause.detail)
        let next = decisionIndex + 1
        if !targetStates.spoilt.isEmpty {
            let text = "The daemon died behind the commit, and a target lost its content with it."
            beginStopping(Problem(.contentLost, text), .done)
        } else {
            state = next < plan.steps.count ? .forward(next) : .finished(success)
        }
    }
}
