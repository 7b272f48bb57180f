/// Where a device can be, as far as the SETs made on it and what it said tell.
///
/// A SET that failed leaves it before, behind or on its way. So this is a set of states, and what
/// has to be done from there is right for each of them.
package struct DeviceStates: Hashable, Sendable {
    private let flags: MigrationFlags
    private(set) package var possible: Set<DeviceState>
    /// Whether it said a state without a name, and no SET has worked since.
    private(set) package var isStrange = false

    package init(_ state: DeviceState, flags: MigrationFlags) {
        self.flags = flags
        self.possible = [state]
    }

    /// A device of which only the journal of a dead daemon tells where it can be.
    package init(_ possible: Set<DeviceState>, flags: MigrationFlags) {
        self.flags = flags
        self.possible = possible
    }

    /// A SET worked.
    package mutating func didSet(_ target: DeviceState) {
        guard let target = target.effective(with: flags) else { return }
        possible = [target]
        isStrange = false
    }

    /// A SET failed, before, on or at the end of its walk.
    package mutating func didFail(toSet target: DeviceState) {
        guard let target = target.effective(with: flags) else { return }
        for state in possible {
            let path = try? MigrationStateMachine.path(from: state, to: target, flags: flags)
            possible.formUnion(path?.arcs.map(\.to) ?? [])
        }
    }

    /// It said where it is.
    ///
    /// A driver may stop in a state this version has no name for.
    package mutating func didReport(_ reported: ReportedState) {
        if case .unknown = reported { isStrange = true }
    }

    /// It said where it is, and where it is one of the places where it can be.
    package mutating func settle(on reported: ReportedState) {
        didReport(reported)
        if case .known(let state) = reported, possible.contains(state) { possible = [state] }
    }

    /// What a device's state says of its content, when it was to be where we left it.
    ///
    /// A state nobody led it to means that something reset it. A state without a name is one the
    /// driver stopped in on its way, which is no loss.
    package func fate(of reported: ReportedState?) -> ContentFate {
        guard case .known(let state)? = reported else { return .untouched }
        return possible.contains(state) ? .untouched : .lost
    }

    /// Whether it can act.
    package var canAct: Bool { !isStrange && possible.allSatisfy(\.canAct) }

    package var isRunning: Bool { !isStrange && possible == [.running] }

    /// Whether it may send DMA to its peers.
    ///
    /// Then none of the others can be in a state that does not take it, and RUNNING needs no
    /// barrier before it.
    package var mayReachPeers: Bool { possible.contains(.running) || possible.contains(.preCopy) }
}
