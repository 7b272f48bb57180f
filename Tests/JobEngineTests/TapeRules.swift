import MigrationCore
import MigrationPorts

/// The invariants that the order of writes and calls alone can break.
struct TapeRules {
    private struct SetIntent: Hashable {
        let device: DeviceID
        let to: DeviceState
    }

    private let kind: JobKind
    private let sources: Set<DeviceID>
    private let targets: Set<DeviceID>
    private var violations: [String] = []
    private var isCommitted = false
    private var isCommitUncertain = false
    private var isAborted = false
    /// Whether anything failed or was decided, from where on an intent need only be tried.
    private var isOnlyTheWayOn = false
    private var didStopSource = false
    private var written: Set<SetIntent> = []
    private var tried: Set<SetIntent> = []
    private var lastCalls: [DeviceID: Tape.Call] = [:]
    private var didDetach: Set<DeviceID> = []
    private var didReset: Set<DeviceID> = []

    init(_ spec: JobSpec) {
        kind = spec.work.kind
        targets = Set(spec.work.targets)
        sources = Set(spec.work.devices).subtracting(targets)
    }

    func violations(in entries: [Tape.Entry]) -> [String] {
        var rules = self
        for entry in entries {
            switch entry {
            case .wrote(let change, let durability): rules.didWrite(change, durability)
            case .refusedWrite(let change): rules.didRefuse(change)
            case .wroteInDoubt(let change):
                rules.didWrite(change, .machine)
                rules.isOnlyTheWayOn = true
            case .called(let device, let call): rules.didCall(device, call)
            }
        }
        return rules.violations
    }

    private mutating func require(_ condition: Bool, _ text: @autoclosure () -> String) {
        if !condition { violations.append(text()) }
    }

    private mutating func didWrite(_ change: StoreChange, _ durability: Durability) {
        for line in change.journal.map(\.entry.line) {
            switch line {
            case .intent("set", let device?, let arc?):
                let intent = SetIntent(device: device, to: arc.to)
                written.insert(intent)
                tried.insert(intent)
            case .commit:
                require(!isAborted, "a commit after the abort")
                require(durability == .machine, "a commit that is not on the disk")
                isCommitted = true
                isOnlyTheWayOn = true
            case .abort:
                require(!isCommitted, "an abort after the commit")
                require(durability == .machine, "an abort that is not on the disk")
                isAborted = true
                isOnlyTheWayOn = true
            case .failed, .done(action: "seal_image", device: _, arc: _, nanoseconds: _):
                isOnlyTheWayOn = true
            default: break
            }
        }
        if change.jobs.contains(where: { $0.state.isTerminal }) {
            require(durability == .machine, "an end that is not on the disk")
        }
    }

    private mutating func didRefuse(_ change: StoreChange) {
        isOnlyTheWayOn = true
        for line in change.journal.map(\.entry.line) {
            switch line {
            case .intent("set", let device?, let arc?):
                tried.insert(SetIntent(device: device, to: arc.to))
            case .commit: isCommitUncertain = true
            default: break
            }
        }
    }

    private mutating func didCall(_ device: DeviceID, _ call: Tape.Call) {
        switch call {
        case .set(let state, let isFailed):
            didSet(device, state)
            if !isFailed, state == .stopCopy { didStopSource = true }
            if isFailed { isOnlyTheWayOn = true }
        case .detach: didDetach.insert(device)
        case .reset:
            require(
                kind == .reset || didDetach.contains(device),
                "1: \(device) reset, not detached"
            )
            didReset.insert(device)
            if sources.contains(device), kind != .reset {
                require(isCommitted, "\(device) was reset before a commit")
            }
        case .closed:
            if sources.contains(device) {
                require(isCommitted, "\(device) was closed before a commit")
            }
        case .get(nil): isOnlyTheWayOn = true
        case .get, .stream: break
        }
        lastCalls[device] = call
    }

    private mutating func didSet(_ device: DeviceID, _ state: DeviceState) {
        let intent = SetIntent(device: device, to: state)
        let name = "\(device) SET \(state.kernelName)"
        switch lastCalls[device] {
        case .get(.known(.error)): violations.append("\(name) in ERROR")
        case .get(.some): break
        case let other: violations.append("\(name) after \(String(describing: other)), no GET")
        }
        require(tried.contains(intent), "\(name) without an intent")
        if !isOnlyTheWayOn { require(written.contains(intent), "\(name) before its intent") }
        if state.canAct {
            if sources.contains(device) {
                require(!isCommitted, "\(name) after the commit")
                if isCommitUncertain { require(isAborted, "\(name) beside a doubtful commit") }
                if kind == .migrate, didStopSource {
                    require(isAborted, "\(name) with no abort on the disk")
                }
            } else {
                require(isCommitted, "\(name) before the commit")
            }
        }
    }
}
