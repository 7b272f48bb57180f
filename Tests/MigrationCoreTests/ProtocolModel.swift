import MigrationCore

/// Two sides of devices with their records and image: it does what a machine says, as the kernel
/// would, and notes every instruction that breaks an invariant of the design.
///
/// It knows the truth, which a machine never does, so it can judge what a machine claims at the end.
struct ProtocolModel {
    /// What one device holds.
    enum Content: Equatable {
        /// What it held before: the thing to be moved on a source, nothing of worth on a target.
        case original
        /// A stream is being written into it.
        case partial
        /// The whole of what was transferred.
        case transferred
        /// A RESET or a close that we asked for emptied it.
        case emptied
        /// It broke.
        case lost
    }

    struct Place: Hashable {
        let side: Side
        let index: Int
    }

    struct Device {
        var state = DeviceState.running
        var content = Content.original
        /// What was last seen of it, against which a GET is held; nil when a GET failed.
        var seen: ReportedState? = .known(.running)
        /// A number the kernel shows instead of the state until a SET works again.
        var strangeNumber: UInt32?
        /// Lost its content while nobody looked.
        var isLossUnseen = false
        var isClosed = false

        var reported: ReportedState { strangeNumber.map(ReportedState.unknown) ?? .known(state) }
    }

    /// How an instruction goes wrong.
    enum Fault: Hashable {
        /// Without a device's doing: the journal, a disk, a digest.
        case elsewhere
        /// It has its effect, and says that it failed: a record of which only the fsync did.
        case afterEffect
        /// The first device fails; a SET after so many arcs of its walk.
        case device(wreck: Wreck, arcs: Int, others: Others)
    }

    /// What the device that failed is like then.
    enum Wreck: Hashable, CaseIterable {
        /// In the last state it completed.
        case stays
        case error
        /// RUNNING and empty: somebody or something reset it.
        case reset
        /// In the last state it completed, under a number nobody knows.
        case strange
        /// In the last state it completed, but GET fails too.
        case mute
    }

    /// What a SET did to the other devices of the side.
    enum Others: Hashable, CaseIterable {
        case untouched
        case done
        /// They failed as well after their first arc, and the first one's failure was told.
        case halfway
    }

    let plan: TransferPlan
    var sources: [Device]
    var targets: [Device]
    var violations: [String] = []

    var isCommitAttempted = false
    var isCommitted = false
    var isAbortAttempted = false
    var isAborted = false
    var isVerified = false
    var isDrained = false
    var isLoaded = false
    var isConfirmed = false
    var isImageThere = false
    var isSealed = false
    /// Devices of which a failure told ERROR.
    var inError: Set<Place> = []
    var lastSet: [Side: DeviceState] = [:]
    /// The devices that are not given up, and whether only the way on or back is left: what the
    /// machine says of the instruction.
    var active: [Side: [Int]] = [:]
    var isOnlyTheWayOn = false

    init(plan: TransferPlan, deviceCount: Int) {
        self.plan = plan
        self.sources = plan.hasSource ? Array(repeating: Device(), count: deviceCount) : []
        self.targets =
            plan.targetFlags.isEmpty ? [] : Array(repeating: Device(), count: deviceCount)
        if plan.kind == .reset { sources = Array(repeating: Device(), count: deviceCount) }
    }

    /// Resets a device behind everybody's back, where a later GET can tell.
    mutating func loseBehindOurBack(_ side: Side) {
        change(side) { device in
            guard device.state != .running, device.state != .error, !device.isClosed else { return }
            device.state = .running
            device.content = .lost
            device.isLossUnseen = true
        }
    }

    /// Performs an instruction.
    mutating func perform(_ step: TransferStep, _ fault: Fault?) -> TransferEvent {
        judge(step.action)
        let event = effect(of: step.action, fault)
        if case .failed(let failure) = event, let side = failure.side {
            for case (let member, .failed(_, .known(.error)?)) in failure.members {
                inError.insert(Place(side: side, index: member))
            }
        }
        judgeActing(after: step.action)
        return event
    }

    mutating func violate(_ text: String) { violations.append(text) }

    mutating func require(_ condition: Bool, _ text: @autoclosure () -> String) {
        if !condition { violations.append(text()) }
    }

    func devices(_ side: Side) -> [Device] { side == .source ? sources : targets }

    mutating func change(_ side: Side, _ body: (inout Device) -> Void) {
        if side == .source {
            for index in sources.indices { body(&sources[index]) }
        } else {
            for index in targets.indices { body(&targets[index]) }
        }
    }

    mutating func change(
        _ side: Side,
        at index: Int,
        _ body: (inout Device) -> Void
    ) {
        if side == .source { body(&sources[index]) } else { body(&targets[index]) }
    }

    func flags(_ side: Side) -> MigrationFlags {
        side == .source ? plan.sourceFlags : plan.targetFlags
    }
}

// MARK: - What the kernel and the store do

extension ProtocolModel {
    private static let problem = Problem(.deviceFailed, "fault", deviceFacts)
    private static let storeProblem = Problem(.storeFailed, "store fault")
    private static var deviceFacts: Problem.Facts {
        var facts = Problem.Facts()
        facts.errno = .io
        return facts
    }

    private mutating func effect(of action: TransferAction, _ fault: Fault?) -> TransferEvent {
        switch action {
        case .set(let side, let state): return set(side, state, fault)
        case .detach(let side), .reset(let side), .close(let side):
            return tidy(side, action, fault)
        case .preCopyRound: return stream(.source, in: .preCopy, fault) { _ in }
        case .drain:
            return stream(.source, in: .stopCopy, fault) { model in
                model.isDrained = true
                if !model.targets.isEmpty { model.didWriteAll() }
                return
            }
        case .load: return stream(.target, in: .resuming, fault) { $0.didWriteAll() }
        case .confirmLoaded:
            return stream(.target, in: .stop, fault) { $0.isConfirmed = true }
        default: return record(action, fault)
        }
    }

    private mutating func didWriteAll() {
        isLoaded = true
        change(.target) { if $0.content == .partial { $0.content = .transferred } }
    }

    private mutating func record(_ action: TransferAction, _ fault: Fault?) -> TransferEvent {
        if action == .commit { isCommitAttempted = true }
        if action == .createImage { isImageThere = true }
        if case .abort = action {
            isAbortAttempted = true
            // The store lets the first of the two decisions stand.
            if isCommitted { return .failed(FailedAction(Problem(.jobCommitted, "committed"))) }
        }
        let failure = TransferEvent.failed(FailedAction(Self.storeProblem))
        guard fault == nil || fault == .afterEffect && action == .commit else { return failure }
        switch action {
        case .verifyImage: isVerified = true
        case .sealImage: isSealed = true
        case .commit: isCommitted = true
        case .abort: isAborted = true
        case .discardImage: isImageThere = false
        default: break
        }
        return fault == nil ? .done : failure
    }

    /// Moving bytes needs every device of a side in one state.
    private mutating func stream(
        _ side: Side,
        in state: DeviceState,
        _ fault: Fault?,
        _ whenDone: (inout Self) -> Void
    ) -> TransferEvent {
        switch fault {
        case .elsewhere?, .afterEffect?: return .failed(FailedAction(Self.storeProblem))
        case .device(let wreck, _, _)?:
            guard let first = active[side]?.first else { return .done }
            return event(side, [first: fail(side, at: first, wreck)])
        case nil: break
        }
        var failures: [Int: MemberResult] = [:]
        for index in active[side] ?? [] {
            let device = devices(side)[index]
            guard device.state == state, device.strangeNumber == nil else {
                failures[index] = reportFailure(side, at: index)
                continue
            }
        }
        guard failures.isEmpty else { return event(side, failures) }
        whenDone(&self)
        return .done
    }

    private mutating func tidy(_ side: Side, _ action: TransferAction, _ fault: Fault?)
        -> TransferEvent
    {
        switch fault {
        case .elsewhere?, .afterEffect?: return .failed(FailedAction(Self.storeProblem))
        default: break
        }
        var results: [Int: MemberResult] = [:]
        let isClose = action == .close(side)
        for index in active[side] ?? [] {
            if case .device(let wreck, _, _)? = fault, index == active[side]?.first {
                results[index] = fail(side, at: index, wreck)
                continue
            }
            results[index] = .done
            change(side, at: index) { device in
                device.state = .running
                device.strangeNumber = nil
                device.seen = .known(.running)
                device.content = .emptied
                device.isLossUnseen = false
                device.isClosed = device.isClosed || isClose
            }
            if !isClose { inError.remove(Place(side: side, index: index)) }
        }
        return event(side, results)
    }

    /// What an action came to of which these are the devices' results.
    private func event(_ side: Side, _ results: [Int: MemberResult]) -> TransferEvent {
        let problems = results.sorted { $0.key < $1.key }.compactMap { _, result -> Problem? in
            if case .failed(let problem, _) = result { problem } else { nil }
        }
        guard let first = problems.first(where: { $0.code == .contentLost }) ?? problems.first
        else { return .done }
        return .failed(FailedAction(first, side: side, members: results))
    }

    /// SET on every device, each GET first and held against what was last seen.
    private mutating func set(_ side: Side, _ target: DeviceState, _ fault: Fault?)
        -> TransferEvent
    {
        let members = active[side] ?? []
        if fault == .elsewhere || fault == .afterEffect {
            // The journal refused when all of them were SET already.
            for index in members { walk(side, at: index, to: target, arcs: .max) }
            let results = members.map { ($0, MemberResult.done) }
            return .failed(
                FailedAction(
                    Self.storeProblem,
                    side: side,
                    members: Dictionary(uniqueKeysWithValues: results)
                )
            )
        }
        var results: [Int: MemberResult] = [:]
        for index in members {
            let device = devices(side)[index]
            if device.state == .error || (device.seen != nil && device.seen != device.reported) {
                results[index] = reportFailure(side, at: index)
            }
        }
        // Forward nobody moves unless all can.
        if !results.isEmpty, !isOnlyTheWayOn { return event(side, results) }
        for index in members where results[index] == nil {
            results[index] = move(side, at: index, to: target, fault)
        }
        return event(side, results)
    }

    /// One device's SET; nil when it was not even made.
    private mutating func move(
        _ side: Side,
        at index: Int,
        to target: DeviceState,
        _ fault: Fault?
    ) -> MemberResult? {
        guard case .device(let wreck, let arcs, let others)? = fault else {
            walk(side, at: index, to: target, arcs: .max)
            return .done
        }
        if index == active[side]?.first {
            let isRunningExpected = passesRunning(devices(side)[index], side, target)
            walk(side, at: index, to: target, arcs: arcs)
            return fail(side, at: index, wreck, isRunningExpected: isRunningExpected)
        }
        switch others {
        case .untouched: return nil
        case .done:
            walk(side, at: index, to: target, arcs: .max)
            return .done
        case .halfway:
            walk(side, at: index, to: target, arcs: 1)
            return .failed(Self.problem, devices(side)[index].reported)
        }
    }

    /// Whether a device that says RUNNING after a failed SET may be on its way, not reset.
    private func passesRunning(_ device: Device, _ side: Side, _ target: DeviceState) -> Bool {
        let path = try? MigrationStateMachine.path(
            from: device.state,
            to: target,
            flags: flags(side)
        )
        return device.state == .running || path?.arcs.contains { $0.to == .running } == true
    }

    /// Walks the kernel's path, at most so many arcs.
    private mutating func walk(_ side: Side, at index: Int, to target: DeviceState, arcs: Int) {
        let device = devices(side)[index]
        let path = try? MigrationStateMachine.path(
            from: device.state,
            to: target,
            flags: flags(side)
        )
        guard let path else {
            violate("SET \(target) from \(device.state) is no path")
            return
        }
        for arc in path.arcs.prefix(arcs) {
            change(side, at: index) { device in
                device.state = arc.to
                if arc.to == .resuming { device.content = .partial }
            }
        }
        change(side, at: index) { device in
            if arcs >= path.arcs.count { device.strangeNumber = nil }
            device.seen = device.reported
        }
    }

    private mutating func fail(
        _ side: Side,
        at index: Int,
        _ wreck: Wreck,
        isRunningExpected: Bool? = nil
    ) -> MemberResult {
        change(side, at: index) { device in
            let left: Content = device.content == .emptied ? .emptied : .lost
            switch wreck {
            case .stays, .mute: break
            case .error:
                device.state = .error
                device.content = left
            case .reset:
                device.content = left
                device.isLossUnseen = isRunningExpected ?? (device.state == .running)
                device.state = .running
            case .strange: device.strangeNumber = 9
            }
            device.seen = wreck == .mute ? nil : device.reported
        }
        return .failed(Self.problem, devices(side)[index].seen)
    }

    /// A device that is not where it must be: whoever looked says so.
    private mutating func reportFailure(_ side: Side, at index: Int) -> MemberResult {
        let device = devices(side)[index]
        var problem = Self.problem
        if device.seen != nil, device.seen != device.reported || device.state == .error {
            problem.code = .contentLost
        }
        change(side, at: index) { device in
            device.seen = device.reported
            device.isLossUnseen = false
        }
        return .failed(problem, device.reported)
    }
}
