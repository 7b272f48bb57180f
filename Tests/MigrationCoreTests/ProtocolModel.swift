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
    private(set) var sources: [Device]
    private(set) var targets: [Device]
    private(set) var violations: [String] = []

    private var isCommitAttempted = false
    private var isCommitted = false
    private var isAbortAttempted = false
    private var isAborted = false
    private var isVerified = false
    private var isDrained = false
    private var isLoaded = false
    private var isConfirmed = false
    private var isImageThere = false
    private var isSealed = false
    /// Sides of which a failure told ERROR.
    private var sidesInError: Set<Side> = []
    private var lastSet: [Side: DeviceState] = [:]

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
        if case .failed(_, let side?, .known(.error)?) = event { sidesInError.insert(side) }
        judgeActing(after: step.action)
        return event
    }

    private mutating func violate(_ text: String) { violations.append(text) }

    private mutating func require(_ condition: Bool, _ text: @autoclosure () -> String) {
        if !condition { violations.append(text()) }
    }

    private func devices(_ side: Side) -> [Device] { side == .source ? sources : targets }

    private mutating func change(_ side: Side, _ body: (inout Device) -> Void) {
        if side == .source {
            for index in sources.indices { body(&sources[index]) }
        } else {
            for index in targets.indices { body(&targets[index]) }
        }
    }

    private mutating func change(
        _ side: Side,
        at index: Int,
        _ body: (inout Device) -> Void
    ) {
        if side == .source { body(&sources[index]) } else { body(&targets[index]) }
    }

    private func flags(_ side: Side) -> MigrationFlags {
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
        case .reset(let side), .close(let side): return tidy(side, action, fault)
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
        if case .abort = action { isAbortAttempted = true }
        if action == .createImage { isImageThere = true }
        guard fault == nil else { return .failed(Self.storeProblem, side: nil, state: nil) }
        switch action {
        case .verifyImage: isVerified = true
        case .sealImage: isSealed = true
        case .commit: isCommitted = true
        case .abort: isAborted = true
        case .discardImage: isImageThere = false
        default: break
        }
        return .done
    }

    /// Moving bytes needs every device of a side in one state.
    private mutating func stream(
        _ side: Side,
        in state: DeviceState,
        _ fault: Fault?,
        _ whenDone: (inout Self) -> Void
    ) -> TransferEvent {
        if fault == .elsewhere { return .failed(Self.storeProblem, side: nil, state: nil) }
        if case .device(let wreck, _, _)? = fault { return fail(side, at: 0, wreck) }
        for index in devices(side).indices {
            let device = devices(side)[index]
            guard device.state == state, device.strangeNumber == nil else {
                return reportFailure(side, at: index)
            }
        }
        whenDone(&self)
        return .done
    }

    private mutating func tidy(_ side: Side, _ action: TransferAction, _ fault: Fault?)
        -> TransferEvent
    {
        if fault == .elsewhere { return .failed(Self.storeProblem, side: nil, state: nil) }
        if case .device(let wreck, _, _)? = fault { return fail(side, at: 0, wreck) }
        let isClose = action == .close(side)
        change(side) { device in
            device.state = .running
            device.strangeNumber = nil
            device.seen = .known(.running)
            device.content = .emptied
            device.isLossUnseen = false
            device.isClosed = device.isClosed || isClose
        }
        if !isClose { sidesInError.remove(side) }
        return .done
    }

    /// SET on every device, each GET first and held against what was last seen.
    private mutating func set(_ side: Side, _ target: DeviceState, _ fault: Fault?)
        -> TransferEvent
    {
        if fault == .elsewhere {
            // The journal refused after some of the devices were SET already.
            if devices(side).count > 1 { walk(side, at: 1, to: target, arcs: .max) }
            return .failed(Self.storeProblem, side: nil, state: nil)
        }
        var failed: TransferEvent?
        let isRunningExpected = devices(side).contains { passesRunning($0, side, target) }
        for index in devices(side).indices {
            let device = devices(side)[index]
            if device.state == .error || (device.seen != nil && device.seen != device.reported) {
                failed = reportFailure(side, at: index)
                continue
            }
            if index == 0, case .device(let wreck, let arcs, _)? = fault {
                walk(side, at: index, to: target, arcs: arcs)
                failed = fail(side, at: index, wreck, isRunningExpected: isRunningExpected)
            } else if index > 0, case .device(_, _, let others)? = fault, others != .done {
                walk(side, at: index, to: target, arcs: others == .halfway ? 1 : 0)
            } else {
                walk(side, at: index, to: target, arcs: .max)
            }
        }
        return failed ?? .done
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
    ) -> TransferEvent {
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
        let state = devices(side)[index].seen
        return .failed(Self.problem, side: side, state: state)
    }

    /// A device that is not where it must be: whoever looked says so.
    private mutating func reportFailure(_ side: Side, at index: Int) -> TransferEvent {
        let device = devices(side)[index]
        var problem = Self.problem
        if device.seen != nil, device.seen != device.reported || device.state == .error {
            problem.code = .contentLost
        }
        change(side, at: index) { device in
            device.seen = device.reported
            device.isLossUnseen = false
        }
        return .failed(problem, side: side, state: device.reported)
    }
}

// MARK: - What the design asks

extension ProtocolModel {
    private mutating func judge(_ action: TransferAction) {
        switch action {
        case .set(let side, let state):
            judgeSet(side, state)
        case .reset(.source), .close(.source):
            let isReset = plan.kind == .reset
            let isRunning = targets.allSatisfy { $0.state == .running }
            require(isReset || (isCommitted && isRunning), "3: \(action.name) of a source")
        case .reset(.target), .close(.target):
            require(isAbortAttempted, "1: \(action.name) of a target without an abort")
            require(!isCommitAttempted, "1: \(action.name) of a target after the commit")
        case .commit: judgeCommit()
        case .abort: require(!isCommitAttempted, "11: an abort after the commit")
        case .sealImage: require(isDrained, "6: a seal of half an image")
        case .preCopyRound:
            let areResuming = targets.allSatisfy { $0.state == .resuming || $0.isLossUnseen }
            require(areResuming, "6: pre-copy before the targets take it")
        case .load: require(isVerified, "6: a load of an image nobody checked")
        case .discardImage: require(!isSealed, "a discard of a sealed image")
        case .verifyImage, .createImage, .drain, .confirmLoaded: break
        }
    }

    private mutating func judgeCommit() {
        require(!isAbortAttempted, "11: a commit after an abort")
        require(plan.hasSource ? isDrained : isVerified, "6: a commit before the end")
        require(isLoaded && isConfirmed, "6: a commit before LOADED")
        let areLoaded = targets.allSatisfy { $0.state == .stop && $0.content == .transferred }
        require(areLoaded || targets.contains(where: \.isLossUnseen), "6: targets not in STOP")
        require(sources.allSatisfy { !$0.state.canAct || $0.isLossUnseen }, "1: sources act")
    }

    private mutating func judgeSet(_ side: Side, _ state: DeviceState) {
        let devices = devices(side)
        require(!sidesInError.contains(side), "7: SET \(state) of a \(side) in ERROR")
        require(devices.allSatisfy { !$0.isClosed }, "SET of a closed device")
        require(state != .error, "7: SET ERROR")
        switch side {
        case .source:
            require(!isCommitAttempted || state == .stop, "2: SET \(state) after the commit")
            let wasStopped = devices.contains { !$0.state.canAct && $0.state != .error }
            if plan.kind == .migrate, state.canAct, wasStopped {
                require(isAborted, "11: a source resumed without an abort record")
            }
        case .target:
            require(isCommitted || state == .resuming || state == .stop, "1: SET \(state)")
        }
        defer { lastSet[side] = state }
        guard flags(side).contains(.p2p) else { return }
        let active = devices.contains { $0.state == .running || $0.state == .preCopy }
        let isDeaf = devices.contains {
            $0.state == .stop || $0.state == .stopCopy || $0.state == .resuming
        }
        switch state {
        case .running, .preCopy: require(!isDeaf, "4: SET \(state) past the barrier")
        case .stop, .stopCopy:
            // When the way to the barrier failed, STOP is all that is left.
            let isTried = lastSet[side] == .runningP2P
            let isUnseen = devices.contains(where: \.isLossUnseen)
            require(!active || isTried || isUnseen, "4: \(state) too early")
        default: break
        }
    }

    /// At most one side acts with the content, at any time.
    private mutating func judgeActing(after action: TransferAction) {
        let sourceActs = sources.contains { $0.state.canAct && $0.content == .original }
        let targetActs = targets.contains { device in
            device.state.canAct && (device.content == .transferred || device.content == .partial)
        }
        require(!targetActs || isCommitted, "1: a target acts after \(action.name)")
        require(!targetActs || !sourceActs, "1: both sides act after \(action.name)")
    }

    /// Holds what a machine claims at the end against what is.
    mutating func judge(_ outcome: TransferOutcome) {
        let areWhole = sources.allSatisfy { $0.content == .original || $0.isLossUnseen }
        switch outcome.source {
        case .untouched: require(areWhole, "7: lost content of a source is called untouched")
        case .lost: require(isSourceLost, "whole content of a source is called lost")
        case .emptied:
            require(sources.allSatisfy { $0.content == .emptied }, "source is not emptied")
        case .loaded: violate("a source is called loaded")
        case .uncertain: require(outcome.state != .succeeded || isCommitted, "5: uncertain success")
        }
        judgeTarget(outcome)
        switch outcome.mayRun {
        case .source:
            require(!isCommitAttempted, "2: the source may run after the commit")
            require(outcome.source == .untouched, "5: a source that is not whole may run")
            let areRunning = sources.allSatisfy { $0.state == .running || $0.isLossUnseen }
            let states = sources.map(\.state)
            require(areRunning, "3: sources are left in \(states)")
        case .target:
            require(isCommitted, "1: the target may run without a commit")
            require(targets.allSatisfy { $0.state == .running }, "targets do not run")
            require(outcome.target == .loaded, "7: success without content")
        case .nobody, .unknown: break
        }
        if case .indeterminate = outcome.state {
            require(outcome.mayRun == .nobody || outcome.mayRun == .unknown, "5: somebody runs")
        }
        if outcome.state == .cancelled { require(outcome.mayRun != .target, "11: cancelled") }
        if outcome.state == .succeeded {
            require(isCommitted || !plan.hasCommit, "success without a commit")
            require(isSealed || plan.kind != .save, "success without an image")
        }
    }

    private mutating func judgeTarget(_ outcome: TransferOutcome) {
        let isUnseen = targets.contains(where: \.isLossUnseen)
        switch outcome.target {
        case .untouched:
            require(targets.allSatisfy { $0.content == .original }, "a target was touched")
        case .emptied:
            require(targets.allSatisfy { $0.content == .emptied }, "a target is not emptied")
        case .loaded:
            let areLoaded = targets.allSatisfy { $0.content == .transferred }
            require(areLoaded || isUnseen, "7: lost content of a target is called loaded")
        case .lost:
            require(targets.contains { $0.content == .lost }, "a whole target is called lost")
        case .uncertain: require(outcome.state != .succeeded, "5: uncertain success")
        }
    }

    /// Whether a source broke for good, seen or not.
    var isSourceLost: Bool { sources.contains { $0.content == .lost } }
    var areSourcesRunning: Bool { sources.allSatisfy { $0.state == .running } }
    var areTargetsTidied: Bool { targets.allSatisfy { $0.isClosed && $0.content == .emptied } }
    var isImageLeft: Bool { isImageThere }
    var isDecided: Bool { isCommitAttempted || isSealed }
}
