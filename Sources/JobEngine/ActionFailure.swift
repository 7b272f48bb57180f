internal import MigrationCore

/// An action that failed, with what the machine needs to go on.
struct ActionFailure: Error {
    let problem: Problem
    /// The side whose device failed it; nil when no device did.
    let side: Side?
    /// What GET said after.
    let state: ReportedState?

    init(_ problem: Problem, side: Side? = nil, state: ReportedState? = nil) {
        self.problem = problem
        self.side = side
        self.state = state
    }

    var event: TransferEvent { .failed(problem, side: side, state: state) }
}
