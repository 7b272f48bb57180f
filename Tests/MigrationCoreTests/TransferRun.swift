import MigrationCore
import Testing

/// One run of a machine over a ``ProtocolModel``, by a script that says what goes wrong when.
struct TransferRun {
    /// What happens at one instruction, counted from 0.
    enum Accident: Hashable {
        case fault(ProtocolModel.Fault)
        /// A cancel, a timeout or an unplug that is seen when the instruction is over.
        case interruption(Problem.Code)
    }

    private(set) var machine: TransferMachine
    private(set) var model: ProtocolModel
    private(set) var performed: [TransferStep] = []
    private(set) var outcome: TransferOutcome?
    private var interruption: Problem?

    /// More than any run of a plan with one round of pre-copy can take.
    static let longest = 40

    init(_ plan: TransferPlan, deviceCount: Int, mode: JobSpec.SwitchoverMode = .auto) {
        machine = TransferMachine(
            plan: plan,
            switchover: SwitchoverDecision(mode: mode, downtimeLimitMilliseconds: 300),
            deviceCount: deviceCount
        )
        model = ProtocolModel(plan: plan, deviceCount: deviceCount)
    }

    /// Runs to the end, or until the run is too long to be one that ends.
    mutating func run(_ script: [Int: Accident] = [:]) {
        while outcome == nil, performed.count < Self.longest { next(script[performed.count]) }
    }

    /// Performs one instruction, or takes the outcome.
    mutating func next(_ accident: Accident?, round: PreCopyRound = Self.converged) {
        switch machine.instruction {
        case .finish(let outcome):
            self.outcome = outcome
            model.judge(outcome)
        case .perform(let step):
            var fault: ProtocolModel.Fault?
            switch accident {
            case .fault(let given): fault = given
            case .interruption(let code): interruption = Problem(code, "interrupted")
            case nil: break
            }
            performed.append(step)
            model.active = [.source: machine.active(.source), .target: machine.active(.target)]
            model.isOnlyTheWayOn = machine.isDecided
            var event = model.perform(step, fault)
            if step.action == .preCopyRound, event == .done { event = .roundDone(round) }
            _ = machine.next(after: event, interruption: interruption)
        }
    }

    mutating func openGate() { machine.openGate() }

    mutating func loseBehindOurBack(_ side: Side) { model.loseBehindOurBack(side) }

    static let converged = PreCopyRound(
        initialByteCount: 0,
        dirtyByteCount: 0,
        stopCopyByteCount: 0,
        bytesPerSecond: 1_000_000
    )

    /// What was done, for the message of a test that fails.
    var trace: String {
        let steps = performed.map { step in
            if case .set(let side, let state) = step.action { return "\(side) \(state.kernelName)" }
            return step.action.name
        }
        return
            "flags \(machine.plan.sourceFlags.rawValue) to \(machine.plan.targetFlags.rawValue): "
            + steps.joined(separator: ", ") + " → \(String(describing: outcome))"
    }
}

/// A plan with a name for test output.
struct NamedPlan: CustomTestStringConvertible, Sendable {
    let name: String
    let plan: TransferPlan

    var testDescription: String { name }

    static let saves: [Self] = MigrationFlags.meaningful.flatMap { flags in
        [
            Self(name: "save and run, \(flags.rawValue)", plan: .save(flags, after: .run)),
            Self(name: "save and stop, \(flags.rawValue)", plan: .save(flags, after: .stop)),
        ]
    }
    static let restores: [Self] = MigrationFlags.meaningful.map {
        Self(name: "restore, \($0.rawValue)", plan: .restore($0))
    }
    static let migrates: [Self] = MigrationFlags.meaningful.flatMap { source in
        MigrationFlags.meaningful.map { target in
            Self(
                name: "migrate, \(source.rawValue) to \(target.rawValue)",
                plan: .migrate(from: source, to: target)
            )
        }
    }
    /// Enough of them for what is tried in very many ways.
    static let some =
        saves + restores
        + migrates.filter { named in
            let (source, target) = (named.plan.sourceFlags, named.plan.targetFlags)
            return source == target || source.rawValue + target.rawValue == 8
        }
    static let all = saves + restores + migrates + [Self(name: "reset", plan: .reset)]
}

extension TransferMachine {
    /// A machine of so many devices that all have the flags of the plan.
    init(plan: TransferPlan, switchover: SwitchoverDecision, deviceCount: Int = 1) {
        let takesSources = plan.hasSource || plan.kind == .reset
        self.init(
            plan: plan,
            switchover: switchover,
            sources: Array(repeating: plan.sourceFlags, count: takesSources ? deviceCount : 0),
            targets: Array(
                repeating: plan.targetFlags,
                count: plan.targetFlags.isEmpty ? 0 : deviceCount
            )
        )
    }
}

extension TransferEvent {
    /// A failure of one device, or of none.
    static func failed(
        _ problem: Problem,
        side: Side?,
        state: ReportedState?,
        member: Int = 0
    ) -> Self {
        .failed(
            FailedAction(
                problem,
                side: side,
                members: side == nil ? [:] : [member: .failed(problem, state)]
            )
        )
    }

    static func roundDone(_ round: PreCopyRound) -> Self { .roundDone([round], at: 0) }
}

extension TransferOutcome {
    /// Of the only source.
    var source: ContentFate { fate(of: .source, 0) }
    /// Of the only target.
    var target: ContentFate { fate(of: .target, 0) }
}
