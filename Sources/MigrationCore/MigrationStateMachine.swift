/// One step of the state machine that a driver performs: a single SET walks one or more of them.
package struct StateArc: Hashable, Sendable {
    package let from: DeviceState
    package let to: DeviceState

    package init(_ from: DeviceState, _ to: DeviceState) {
        self.from = from
        self.to = to
    }

    /// `RUNNING→RUNNING_P2P`, as journals and errors print it.
    package var description: String { "\(from.kernelName)→\(to.kernelName)" }
}

/// Which way the bytes of a migration stream go, seen from the program.
package enum StreamDirection: Sendable {
    /// Read from the device: PRE_COPY, PRE_COPY_P2P, STOP_COPY.
    case save
    /// Written to the device: RESUMING.
    case resume
}

/// What one successful SET does.
package struct StatePath: Hashable, Sendable {
    /// The driver's steps in order; empty when the device is in the state already.
    package let arcs: [StateArc]
    /// The stream whose descriptor the SET returns, or nil when it returns none (data_fd −1).
    package let newStream: StreamDirection?
    /// Whether the stream held before the SET is dead after it (reads and writes give ENODEV).
    package let endsStream: Bool
}

/// Why the kernel answers a SET with EINVAL before any step.
package enum PathRefusal: Error, Hashable, Sendable {
    /// ERROR is never a target, and never left but by RESET.
    case errorState
    /// The device lacks the flag one of the two states needs.
    case unsupported(DeviceState)
    /// STOP_COPY cannot go back to a pre-copy state.
    case blocked
}

/// The kernel's migration state machine: `vfio_mig_get_next_state` as a pure function.
///
///          RESUMING          PRE_COPY ──────── PRE_COPY_P2P
///             │                 │                  │    │
///   ERROR   STOP ─ RUNNING_P2P ─┴─ RUNNING         │    │
///             │        └───────────────────────────┘    │
///         STOP_COPY ◀───────────────────────────────────┘
package enum MigrationStateMachine {
    /// The steps, and the fate of the streams, of SET `target` on a device in `current`.
    package static func path(
        from current: DeviceState,
        to target: DeviceState,
        flags: MigrationFlags
    ) throws(PathRefusal) -> StatePath {
        guard current != .error, target != .error else { throw .errorState }
        for state in [current, target] where !flags.supports(state) { throw .unsupported(state) }
        var arcs: [StateArc] = []
        var state = current
        while state != target {
            let next = try step(from: state, to: target, flags: flags)
            arcs.append(StateArc(state, next))
            state = next
        }
        return StatePath(
            arcs: arcs,
            newStream: arcs.last.flatMap(streamOpened),
            endsStream: current.hasStream && arcs.contains { !$0.to.hasStream }
        )
    }

    /// The next state on the way to `target` that the flags allow.
    private static func step(
        from current: DeviceState,
        to target: DeviceState,
        flags: MigrationFlags
    ) throws(PathRefusal) -> DeviceState {
        var next = current
        repeat {
            guard let following = coreStep(from: next, to: target) else { throw .blocked }
            next = following
        } while !flags.supports(next)
        return next
    }

    /// The stream an arc opens when it is the last one of a walk.
    private static func streamOpened(by arc: StateArc) -> StreamDirection? {
        switch (arc.from, arc.to) {
        case (.stop, .stopCopy), (.running, .preCopy), (.runningP2P, .preCopyP2P): .save
        case (.stop, .resuming): .resume
        default: nil
        }
    }

    /// The kernel's table, which knows nothing of flags.
    ///
    /// Nil is an arc that does not exist.
    private static func coreStep(from current: DeviceState, to target: DeviceState) -> DeviceState?
    {
        switch (current, target) {
        case (.error, _), (_, .error): nil
        case (let current, let target) where current == target: target
        case (.stop, .stopCopy), (.stop, .resuming): target
        case (.stop, _): .runningP2P
        case (.running, .preCopy): .preCopy
        case (.running, _): .runningP2P
        case (.stopCopy, .preCopy), (.stopCopy, .preCopyP2P): nil
        case (.stopCopy, _), (.resuming, _): .stop
        case (.runningP2P, .running), (.runningP2P, .preCopy): .running
        case (.runningP2P, .preCopyP2P): .preCopyP2P
        case (.runningP2P, _): .stop
        case (.preCopy, .preCopyP2P), (.preCopy, .stopCopy): .preCopyP2P
        case (.preCopy, _): .running
        case (.preCopyP2P, .preCopy), (.preCopyP2P, .stopCopy): target
        case (.preCopyP2P, _): .runningP2P
        }
    }
}
