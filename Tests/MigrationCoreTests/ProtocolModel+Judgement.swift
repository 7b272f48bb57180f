import MigrationCore

/// What the design asks of every instruction and of every outcome.
extension ProtocolModel {
    mutating func judge(_ action: TransferAction) {
        switch action {
        case .set(let side, let state):
            judgeSet(side, state)
        case .detach(.source), .reset(.source), .close(.source):
            let isReset = plan.kind == .reset
            let isRunning = targets.allSatisfy { $0.state == .running }
            require(isReset || (isCommitted && isRunning), "3: \(action.name) of a source")
        case .detach(.target), .reset(.target), .close(.target):
            require(isAbortAttempted, "1: \(action.name) of a target without an abort")
            require(!isCommitted, "1: \(action.name) of a target after the commit")
            let isSure = isAborted || !isCommitAttempted
            require(isSure, "11: \(action.name) of a target that may have to run")
        case .commit: judgeCommit()
        case .sealImage: require(isDrained, "6: a seal of half an image")
        case .preCopyRound:
            let areResuming = targets.allSatisfy { $0.state == .resuming || $0.isLossUnseen }
            require(areResuming, "6: pre-copy before the targets take it")
        case .load: require(isVerified, "6: a load of an image nobody checked")
        case .discardImage: require(!isSealed, "a discard of a sealed image")
        case .abort, .verifyImage, .createImage, .drain, .confirmLoaded: break
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
        let members = active[side] ?? []
        let devices = members.map { self.devices(side)[$0] }
        for index in members {
            let isInError = inError.contains(Place(side: side, index: index))
            require(!isInError, "7: SET \(state) of a \(side) in ERROR")
        }
        require(devices.allSatisfy { !$0.isClosed }, "SET of a closed device")
        require(state != .error, "7: SET ERROR")
        switch side {
        case .source:
            require(!isCommitted || state == .stop, "2: SET \(state) after the commit")
            let wasStopped = devices.contains { !$0.state.canAct && $0.state != .error }
            if plan.kind == .migrate, state.canAct, wasStopped {
                require(isAborted, "11: a source resumed without an abort record")
            }
            if isCommitAttempted, state.canAct {
                require(isAborted, "11: a source resumed beside a commit that may stand")
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
    mutating func judgeActing(after action: TransferAction) {
        let sourceActs = sources.contains { $0.state.canAct && $0.content == .original }
        let targetActs = targets.contains { device in
            device.state.canAct && (device.content == .transferred || device.content == .partial)
        }
        require(!targetActs || isCommitted, "1: a target acts after \(action.name)")
        require(!targetActs || !sourceActs, "1: both sides act after \(action.name)")
    }

    /// Holds what a machine claims at the end against what is.
    mutating func judge(_ outcome: TransferOutcome) {
        require(outcome.sources.count == sources.count, "fates of the sources are missing")
        require(outcome.targets.count == targets.count, "fates of the targets are missing")
        for (device, fate) in zip(sources, outcome.sources) { judge(source: device, fate, outcome) }
        for (device, fate) in zip(targets, outcome.targets) { judge(target: device, fate, outcome) }
        switch outcome.mayRun {
        case .source:
            require(!isCommitted, "2: the source may run after the commit")
            require(!isCommitAttempted || isAborted, "11: the source may run beside a commit")
            let whole = zip(sources, outcome.sources).filter { $1 == .untouched }.map(\.0)
            require(!whole.isEmpty, "5: no source is whole, and one may run")
            let areRunning = whole.allSatisfy { $0.state == .running || $0.isLossUnseen }
            let states = sources.map(\.state)
            require(areRunning, "3: sources are left in \(states)")
            require(!outcome.sources.contains(.uncertain), "5: an uncertain source may run")
        case .target:
            require(isCommitted, "1: the target may run without a commit")
            require(targets.allSatisfy { $0.state == .running }, "targets do not run")
            require(outcome.targets.allSatisfy { $0 == .loaded }, "7: success without content")
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

    private mutating func judge(
        source device: Device,
        _ fate: ContentFate,
        _ outcome: TransferOutcome
    ) {
        switch fate {
        case .untouched:
            let isWhole = device.content == .original || device.isLossUnseen
            require(isWhole, "7: lost content of a source is called untouched")
        case .lost: require(device.content == .lost, "whole content of a source is called lost")
        case .emptied: require(device.content == .emptied, "source is not emptied")
        case .loaded: violate("a source is called loaded")
        case .uncertain:
            require(outcome.state != .succeeded || isCommitted, "5: uncertain success")
        }
    }

    private mutating func judge(
        target device: Device,
        _ fate: ContentFate,
        _ outcome: TransferOutcome
    ) {
        switch fate {
        case .untouched: require(device.content == .original, "a target was touched")
        case .emptied: require(device.content == .emptied, "a target is not emptied")
        case .loaded:
            let isLoaded = device.content == .transferred || device.isLossUnseen
            require(isLoaded, "7: lost content of a target is called loaded")
        case .lost: require(device.content == .lost, "a whole target is called lost")
        case .uncertain: require(outcome.state != .succeeded, "5: uncertain success")
        }
    }

    /// Whether the sources that are whole run.
    var areSourcesRunning: Bool {
        sources.allSatisfy { $0.state == .running || $0.content == .lost }
    }
    var areTargetsTidied: Bool { targets.allSatisfy { $0.isClosed && $0.content == .emptied } }
    var isImageLeft: Bool { isImageThere }
    var isDecided: Bool { isCommitAttempted || isSealed }
}
