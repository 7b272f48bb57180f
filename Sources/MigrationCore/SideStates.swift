/// Where the devices of one side can be, as far as the SETs made on them and what they said tell.
///
/// A SET that fails on one device of a set leaves the others before it, behind it or on its way,
/// and only one device says where it is. So this is a set of states, and what has to be done from
/// there is right for each of them.
package struct SideStates: Hashable, Sendable {
    private let flags: MigrationFlags
    private(set) package var possible: Set<DeviceState>
    /// Whether a device said a state without a name, and no SET has worked since.
    private(set) package var isStrange = false

    package init(_ state: DeviceState, flags: MigrationFlags) {
        self.flags = flags
        self.possible = [state]
    }

    /// Every device was SET.
    package mutating func didSet(_ target: DeviceState) {
        possible = [target]
        isStrange = false
    }

    /// A SET failed on some device, before, on or at the end of its walk.
    package mutating func didFail(toSet target: DeviceState) {
        for state in possible {
            let path = try? MigrationStateMachine.path(from: state, to: target, flags: flags)
            possible.formUnion(path?.arcs.map(\.to) ?? [])
        }
    }

    /// A device said where it is.
    package mutating func didReport(_ reported: ReportedState) {
        if case .unknown = reported { isStrange = true }
    }

    /// What a device's state says of its content, when it was to be where we left it.
    ///
    /// A state nobody led it to means that something reset it. A state without a name is one the
    /// driver stopped in on its way, which is no loss.
    package func fate(of reported: ReportedState?) -> ContentFate {
        guard case .known(let state)? = reported else { return .untouched }
        return possible.contains(state) ? .untouched : .lost
    }

    /// Whether every device can act.
    package var canAllAct: Bool { !isStrange && possible.allSatisfy(\.canAct) }

    package var areAllRunning: Bool { !isStrange && possible == [.running] }

    /// Whether a device may send DMA to its peers.
    ///
    /// Then none of the others can be in a state that does not take it, and RUNNING needs no
    /// barrier before it.
    package var mayReachPeers: Bool { possible.contains(.running) || possible.contains(.preCopy) }
}
