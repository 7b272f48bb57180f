/// What became of an action.
package enum TransferEvent: Hashable, Sendable {
    case done
    /// A pre-copy round went well.
    case roundDone(PreCopyRound)
    /// It failed.
    ///
    /// When a device failed it, `side` is the device's and `state` what GET said after.
    case failed(Problem, side: Side?, state: ReportedState?)
    /// It was not even begun, because its intent could not be written down: all is as it was.
    case notBegun(Problem)

    /// What went wrong, if anything did.
    var problem: Problem? {
        switch self {
        case .done, .roundDone: nil
        case .failed(let problem, _, _), .notBegun(let problem): problem
        }
    }
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
    package let source: ContentFate
    package let target: ContentFate
    /// What went wrong without changing how the transfer ended.
    package var warnings: [String] = []
}

/// What a transfer did to the content of a side.
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
