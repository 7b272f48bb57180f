internal import MigrationCore
internal import Synchronization

/// A bound on what goes on at the same time.
final class Turns: Sendable {
    private struct State {
        /// What the turns that are taken are for, by their numbers.
        var taken: [UInt64: String] = [:]
        var nextNumber: UInt64 = 0
        var whenIdle: [@Sendable () -> Void] = []
    }

    private let limit: Int
    private let what: String
    /// Guards the turns that are taken.
    ///
    /// A leaf.
    private let state = Mutex(State())

    /// `what` says what they do: "images are downloaded".
    init(_ limit: Int, of what: String) {
        self.limit = limit
        self.what = what
    }

    /// What the turns that are taken are for.
    var purposes: [String] { state.withLock { Array($0.taken.values) }.sorted() }

    /// A turn, given back when it ends or its last reference goes.
    ///
    /// Throws `overloaded` when there is none.
    func take(for purpose: String = "") throws(Problem) -> Turn {
        let number: UInt64? = state.withLock { state in
            guard state.taken.count < limit else { return nil }
            defer { state.nextNumber += 1 }
            state.taken[state.nextNumber] = purpose
            return state.nextNumber
        }
        guard let number else {
            var facts = Problem.Facts()
            facts.retryAfterSeconds = 5
            throw Problem(.overloaded, "\(limit) \(what) already.", facts)
        }
        return Turn(number, of: self)
    }

    /// Calls back once when no turn is taken, which may be now.
    func whenIdle(_ call: @escaping @Sendable () -> Void) {
        let isIdle = state.withLock { state in
            guard !state.taken.isEmpty else { return true }
            state.whenIdle.append(call)
            return false
        }
        if isIdle { call() }
    }

    fileprivate func giveBack(_ number: UInt64) {
        let idle: [@Sendable () -> Void] = state.withLock { state in
            state.taken[number] = nil
            guard state.taken.isEmpty else { return [] }
            defer { state.whenIdle = [] }
            return state.whenIdle
        }
        for call in idle { call() }
    }
}

/// One of ``Turns``.
final class Turn: Sendable {
    private let number: UInt64
    private let turns: Turns
    private let isTaken = Atomic(true)

    fileprivate init(_ number: UInt64, of turns: Turns) {
        self.number = number
        self.turns = turns
    }

    deinit { end() }

    /// Gives it back; the second time does nothing.
    func end() {
        if isTaken.exchange(false, ordering: .relaxed) { turns.giveBack(number) }
    }
}
