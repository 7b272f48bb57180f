/// What became of an action.
package enum TransferEvent: Hashable, Sendable {
    case done
    /// A pre-copy round went well: what each source found, and when it ended on the monotonic clock.
    case roundDone([PreCopyRound], at: UInt64)
    case failed(FailedAction)
    /// It was not even begun, because its intent could not be written down: all is as it was.
    case notBegun(Problem)

    /// What went wrong, if anything did.
    package var problem: Problem? {
        switch self {
        case .done, .roundDone: nil
        case .failed(let failure): failure.problem
        case .notBegun(let problem): problem
        }
    }
}

/// An action that failed.
package struct FailedAction: Hashable, Sendable {
    /// The first and worst of what went wrong.
    package let problem: Problem
    /// The side of the devices that failed it; nil when no device did.
    package let side: Side?
    /// What became of the devices of that side, by their number in the set.
    ///
    /// One that is missing was not touched.
    package let members: [Int: MemberResult]

    package init(_ problem: Problem, side: Side? = nil, members: [Int: MemberResult] = [:]) {
        self.problem = problem
        self.side = side
        self.members = members
    }
}

/// What became of one device of a set in an action that failed.
package enum MemberResult: Hashable, Sendable {
    case done
    /// It failed; with what GET said after, if it said anything.
    case failed(Problem, ReportedState?)
}

/// What to do next.
package enum TransferInstruction: Hashable, Sendable {
    case perform(TransferStep)
    case finish(TransferOutcome)
}

/// How a transfer ended, and what is true then.
package struct TransferOutcome: Hashable, Sendable {
    package let state: JobState
    package let mayRun: MayRun
    /// What became of the content of each source; empty without sources.
    package let sources: [ContentFate]
    package let targets: [ContentFate]
    /// What went wrong without changing how the transfer ended.
    package var warnings: [String] = []

    /// What became of a device's content.
    package func fate(of side: Side, _ member: Int) -> ContentFate {
        let fates = side == .source ? sources : targets
        return fates.indices.contains(member) ? fates[member] : .untouched
    }
}

/// What a transfer did to the content of a device.
package enum ContentFate: String, Hashable, Sendable {
    /// It is what it was.
    case untouched
    /// Reset on purpose: its content moved, or was half loaded.
    case emptied
    /// It holds what was transferred.
    case loaded
    /// A RESET, an ERROR or the death of the device took it.
    case lost
    /// The device failed where it must not, and nothing can tell whether the content is whole.
    case uncertain
}
