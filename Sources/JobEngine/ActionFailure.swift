internal import MigrationCore

/// An action that failed, with what the machine needs to go on.
struct ActionFailure: Error {
    let problem: Problem
    /// The side whose device failed it; nil when no device did.
    let side: Side?
    /// What GET said after.
    let state: ReportedState?
    /// Whether the action was begun: its intent is in the journal.
    private let isBegun: Bool

    init(_ problem: Problem, side: Side? = nil, state: ReportedState? = nil) {
        self.problem = problem
        self.side = side
        self.state = state
        self.isBegun = true
    }

    init(notBegun problem: Problem) {
        self.problem = problem
        self.side = nil
        self.state = nil
        self.isBegun = false
    }

    var event: TransferEvent {
        isBegun ? .failed(problem, side: side, state: state) : .notBegun(problem)
    }
}
