internal import MigrationCore
internal import Synchronization

/// A part of an action that failed, with what the machine needs to go on.
struct ActionFailure: Error {
    let problem: Problem
    /// The side whose device failed it; nil when no device did.
    let side: Side?
    /// What GET said after.
    let state: ReportedState?
    /// Whether the action was begun: its intent is in the journal.
    private let isBegun: Bool
    /// Whether it only gave up because another member of the set had failed, or the job was called
    /// off.
    let isStopped: Bool

    init(
        _ problem: Problem,
        side: Side? = nil,
        state: ReportedState? = nil,
        isStopped: Bool = false
    ) {
        self.problem = problem
        self.side = side
        self.state = state
        self.isBegun = true
        self.isStopped = isStopped
    }

    init(notBegun problem: Problem) {
        self.problem = problem
        self.side = nil
        self.state = nil
        self.isBegun = false
        self.isStopped = false
    }

    var event: TransferEvent { isBegun ? .failed(FailedAction(problem)) : .notBegun(problem) }
}

/// What one member's part of an action came to.
typealias MemberTry<Success> = Result<Success, ActionFailure>

/// The failures of a set's members in one action, as one.
struct SetFailure {
    /// The one that decides: a device that lost its content before one that did not, and one that
    /// failed before one that only stopped beside it.
    let worst: ActionFailure
    let event: TransferEvent
    /// What the others said.
    let others: [String]

    /// Nil when no member failed; `done` are those that are known to have done their part.
    init?(_ failures: [Int: ActionFailure], done: [Int] = []) {
        let inOrder = failures.sorted { $0.key < $1.key }.map(\.value)
        guard let worst = inOrder.min(by: { Self.weight($0) < Self.weight($1) }) else {
            return nil
        }
        self.worst = worst
        let told = inOrder.filter { !$0.isStopped && $0.problem.detail != worst.problem.detail }
        self.others = told.map(\.problem.detail)
        guard let side = worst.side else {
            self.event = worst.event
            return
        }
        var members: [Int: MemberResult] = [:]
        for number in done { members[number] = .done }
        for (number, failure) in failures where failure.side == side {
            members[number] = .failed(failure.problem, failure.state)
        }
        self.event = .failed(FailedAction(worst.problem, side: side, members: members))
    }

    private static func weight(_ failure: ActionFailure) -> Int {
        if failure.problem.code == .contentLost || failure.state == .known(.error) { return 0 }
        if failure.isStopped { return 4 }
        switch failure.side {
        case .source: return 1
        case .target: return 2
        case nil: return 3
        }
    }
}

/// Tells the members of a set that one of them failed, so that the others need not go on.
final class SetAlarm: Sendable {
    private let isRaised = Atomic(false)

    func raise() { isRaised.store(true, ordering: .releasing) }

    var isOn: Bool { isRaised.load(ordering: .acquiring) }
}
