/// Where the devices of one side can be, each by itself, what became of their content, and which of
/// them are given up: nothing more is done to those.
package struct SideStates: Hashable, Sendable {
    private var devices: [DeviceStates]
    /// Of devices that did not keep their content, or of which nobody can tell.
    private(set) package var spoilt: [Int: ContentFate] = [:]
    private var givenUp: Set<Int> = []

    /// Devices in one state, each with the flags of its own driver.
    package init(_ state: DeviceState, flags: [MigrationFlags]) {
        self.devices = flags.map { DeviceStates(state, flags: $0) }
    }

    /// Devices of which a dead daemon's journal tells where they can be, and they themselves where
    /// they are.
    ///
    /// One that says nothing, or a place it cannot be in, has lost its content.
    package init(_ devices: [DeviceStates], reported: [ReportedState?]) {
        self.devices = devices
        for (member, state) in reported.enumerated() {
            if let state { self.devices[member].settle(on: state) }
            if state == nil || devices[member].fate(of: state) == .lost {
                giveUp(member, as: .lost)
            }
        }
    }

    package var count: Int { devices.count }

    /// The devices that actions are performed on.
    package var active: [Int] { devices.indices.filter { !givenUp.contains($0) } }

    package mutating func giveUp(_ member: Int, as fate: ContentFate) {
        spoilt[member] = fate
        givenUp.insert(member)
    }

    /// Every active device was SET.
    package mutating func didSet(_ target: DeviceState) {
        for member in active { devices[member].didSet(target) }
    }

    /// A SET failed: on the devices that say so, or, when no device does, perhaps on any.
    package mutating func didFail(toSet target: DeviceState, _ failure: FailedAction) {
        for member in active {
            switch failure.members[member] {
            case .done?: devices[member].didSet(target)
            case .failed?: devices[member].didFail(toSet: target)
            case nil where failure.members.isEmpty: devices[member].didFail(toSet: target)
            case nil: break
            }
        }
    }

    /// Devices said where they are.
    package mutating func didReport(_ failure: FailedAction) {
        for case (let member, .failed(_, let state?)) in failure.members {
            devices[member].settle(on: state)
        }
    }

    /// What a failure says of a device's content.
    package func fate(of member: Int, after failure: FailedAction) -> ContentFate {
        guard case .failed(let problem, let state)? = failure.members[member] else {
            return .untouched
        }
        if problem.code == .contentLost { return .lost }
        return devices[member].fate(of: state)
    }

    /// Gives up what a failure says to be lost.
    package mutating func giveUpLost(after failure: FailedAction) {
        for member in active where fate(of: member, after: failure) == .lost {
            giveUp(member, as: .lost)
        }
    }

    /// Calls lost what a failure says to be, and gives up only devices in ERROR, which no SET may
    /// touch: one that was reset may run, and can still be stopped.
    package mutating func callLost(after failure: FailedAction) {
        for member in active where fate(of: member, after: failure) == .lost {
            spoilt[member] = .lost
            if case .failed(_, .known(.error)?)? = failure.members[member] {
                givenUp.insert(member)
            }
        }
    }

    /// The states a device can be in.
    package func possible(_ member: Int) -> Set<DeviceState> { devices[member].possible }

    /// Whether some active device can be in one of these states.
    package func mayBe(in states: Set<DeviceState>) -> Bool {
        activeDevices.contains { !$0.possible.isDisjoint(with: states) }
    }

    package var isStrange: Bool { activeDevices.contains(where: \.isStrange) }
    package var canAllAct: Bool { activeDevices.allSatisfy(\.canAct) }
    package var areAllRunning: Bool { activeDevices.allSatisfy(\.isRunning) }
    package var mayReachPeers: Bool { activeDevices.contains(where: \.mayReachPeers) }

    /// What became of each device's content, when nothing else is known of the others.
    package func fates(others: ContentFate) -> [ContentFate] {
        devices.indices.map { spoilt[$0] ?? others }
    }

    private var activeDevices: [DeviceStates] { active.map { devices[$0] } }
}
