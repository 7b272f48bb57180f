/// One thing to do to a set of devices.
///
/// It is done to every device of the side and is over when the last one is done, so the order of a
/// plan is also the barrier between devices.
package enum TransferAction: Hashable, Sendable {
    /// SET on every device of the side.
    case set(Side, DeviceState)
    /// Checks a whole image before one byte of it reaches a device.
    case verifyImage
    /// Makes the place a save writes to.
    case createImage
    /// Forwards what the sources have now, then asks for `VFIO_MIG_GET_PRECOPY_INFO`.
    case preCopyRound
    /// Forwards the rest of the stopped sources' streams, to their ends.
    case drain
    /// Writes an image into the targets.
    case load
    /// Requires byte counts and digests to be equal and every target to say STOP.
    case confirmLoaded
    /// Makes the image durable and puts it into the catalogue.
    case sealImage
    /// Writes the commit record, durably: from here on only the target may run.
    case commit
    /// Writes the abort record, durably: from here on a commit is refused.
    case abort(Problem)
    /// Takes every device of the side out of its address space: no DMA mapping is left to it.
    case detach(Side)
    /// RESET on every device of the side: its content is gone.
    case reset(Side)
    /// Ends the sessions of the side.
    case close(Side)
    /// Removes what a save wrote.
    case discardImage
}

extension TransferAction {
    /// The name of the action in a journal.
    package var name: String {
        switch self {
        case .set: "set"
        case .verifyImage: "verify_image"
        case .createImage: "create_image"
        case .preCopyRound: "pre_copy_round"
        case .drain: "drain"
        case .load: "load"
        case .confirmLoaded: "confirm_loaded"
        case .sealImage: "seal_image"
        case .commit: "commit"
        case .abort: "abort"
        case .detach: "detach"
        case .reset: "reset"
        case .close: "close"
        case .discardImage: "discard_image"
        }
    }
}

/// An action and the phase it belongs to.
package struct TransferStep: Hashable, Sendable {
    package let phase: JobPhase
    package let action: TransferAction

    package init(_ phase: JobPhase, _ action: TransferAction) {
        self.phase = phase
        self.action = action
    }
}

/// What a kind of job does when nothing goes wrong, as data.
package struct TransferPlan: Hashable, Sendable {
    package let kind: JobKind
    package let steps: [TransferStep]
    /// Flags the sources are driven by; empty for a job without sources.
    package let sourceFlags: MigrationFlags
    /// Flags the targets are driven by; empty for a job without targets.
    package let targetFlags: MigrationFlags

    /// Writes the state of the sources into an image.
    ///
    /// A source that runs on does so before the image is made durable, so that no fsync lies in
    /// its downtime; one that stops keeps its stream until the image is safe.
    package static func save(_ flags: MigrationFlags, after: JobSpec.AfterSave) -> Self {
        let ending =
            switch after {
            case .run: up(.source, flags) + [TransferStep(.release, .sealImage)]
            case .stop:
                [
                    TransferStep(.commit, .sealImage), TransferStep(.release, .set(.source, .stop)),
                ]
            }
        return Self(
            kind: .save,
            steps: [TransferStep(.prepare, .createImage)] + down(flags) + ending,
            sourceFlags: flags,
            targetFlags: []
        )
    }

    /// Writes an image into the targets and starts them.
    package static func restore(_ flags: MigrationFlags) -> Self {
        Self(
            kind: .restore,
            steps: [
                TransferStep(.prepare, .verifyImage),
                TransferStep(.prepare, .set(.target, .resuming)),
                TransferStep(.load, .load),
            ] + loaded + up(.target, flags),
            sourceFlags: [],
            targetFlags: flags
        )
    }

    /// Moves the state of the sources into the targets on the same host.
    ///
    /// The targets enter RESUMING before the sources enter PRE_COPY, so that a target that cannot
    /// is found out while the sources still run undisturbed.
    package static func migrate(from source: MigrationFlags, to target: MigrationFlags) -> Self {
        Self(
            kind: .migrate,
            steps: [TransferStep(.prepare, .set(.target, .resuming))] + down(source) + loaded
                + up(.target, target) + [
                    TransferStep(.release, .set(.source, .stop))
                ] + letGo(.source, .release),
            sourceFlags: source,
            targetFlags: target
        )
    }

    /// Gives a side's devices up: no DMA mapping is left when RESET makes them RUNNING.
    static func letGo(_ side: Side, _ phase: JobPhase) -> [TransferStep] {
        [.detach(side), .reset(side), .close(side)].map { TransferStep(phase, $0) }
    }

    /// Resets devices: their content is lost.
    package static let reset = Self(
        kind: .reset,
        steps: [TransferStep(.release, .reset(.source))],
        sourceFlags: [],
        targetFlags: []
    )

    /// The step that, once attempted, nobody can call off any more.
    package var decisionIndex: Int {
        steps.firstIndex { $0.action == .commit || $0.action == .sealImage } ?? 0
    }

    /// Whether a durable record decides which side runs.
    package var hasCommit: Bool { steps.contains { $0.action == .commit } }

    /// Whether the job takes content from devices.
    package var hasSource: Bool { !sourceFlags.isEmpty }

    /// The SETs of the downtime, in order: from the one that quiesces the sources to the one that
    /// lets the last device run.
    package var downtimeSets: [(side: Side, arc: Problem.ArcNames)] {
        var states: [Side: DeviceState] = [.source: .running, .target: .running]
        var sets: [(side: Side, arc: Problem.ArcNames)] = []
        for step in steps {
            guard case .set(let side, let state) = step.action else { continue }
            let arc = Problem.ArcNames(from: states[side], to: state)
            states[side] = state
            if JobPhase.downtime.contains(step.phase) { sets.append((side, arc)) }
        }
        return sets
    }

    /// Whether the last SET of the sources is one to RUNNING.
    var leavesSourceRunning: Bool {
        let last = steps.last { step in
            if case .set(.source, _) = step.action { true } else { false }
        }
        return last?.action == .set(.source, .running)
    }

    /// Takes the sources from RUNNING to the end of their streams.
    private static func down(_ flags: MigrationFlags) -> [TransferStep] {
        var steps: [TransferStep] = []
        if flags.contains(.preCopy) {
            steps.append(TransferStep(.preCopy, .set(.source, .preCopy)))
            steps.append(TransferStep(.preCopy, .preCopyRound))
        }
        if flags.contains(.p2p) {
            let quiet: DeviceState = flags.contains(.preCopy) ? .preCopyP2P : .runningP2P
            steps.append(TransferStep(.quiesce, .set(.source, quiet)))
        }
        steps.append(TransferStep(.stopCopy, .set(.source, .stopCopy)))
        steps.append(TransferStep(.stopCopy, .drain))
        return steps
    }

    /// LOADED, and the line after which only the targets may run.
    private static let loaded = [
        TransferStep(.load, .set(.target, .stop)),
        TransferStep(.load, .confirmLoaded),
        TransferStep(.commit, .commit),
    ]

    /// Takes a side to RUNNING: everybody reachable by peers before anybody acts.
    static func up(_ side: Side, _ flags: MigrationFlags) -> [TransferStep] {
        (flags.contains(.p2p) ? [TransferStep(.start, .set(side, .runningP2P))] : [])
            + [TransferStep(.start, .set(side, .running))]
    }
}
