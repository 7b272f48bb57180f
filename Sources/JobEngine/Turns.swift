internal import MigrationCore
internal import Synchronization

/// A bound on what goes on at the same time.
final class Turns: Sendable {
    private let limit: Int
    private let what: String
    /// Guards how many turns are taken.
    ///
    /// A leaf.
    private let taken = Mutex(0)

    /// `what` says what they do: "images are downloaded".
    init(_ limit: Int, of what: String) {
        self.limit = limit
        self.what = what
    }

    /// A turn, given back when it ends or its last reference goes.
    ///
    /// Throws `overloaded` when there is none.
    func take() throws(Problem) -> Turn {
        let isTaken = taken.withLock { taken in
            guard taken < limit else { return false }
            taken += 1
            return true
        }
        guard isTaken else {
            var facts = Problem.Facts()
            facts.retryAfterSeconds = 5
            throw Problem(.overloaded, "\(limit) \(what) already.", facts)
        }
        return Turn(self)
    }

    fileprivate func giveBack() { taken.withLock { $0 -= 1 } }
}

/// One of ``Turns``.
final class Turn: Sendable {
    private let turns: Turns
    private let isTaken = Atomic(true)

    fileprivate init(_ turns: Turns) { self.turns = turns }

    deinit { end() }

    /// Gives it back; the second time does nothing.
    func end() {
        if isTaken.exchange(false, ordering: .relaxed) { turns.giveBack() }
    }
}
