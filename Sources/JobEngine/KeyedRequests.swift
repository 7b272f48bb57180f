internal import MigrationCore
internal import Synchronization

/// The keyed requests that are being answered, and how many answers are kept of earlier ones.
final class KeyedRequests: Sendable {
    private struct State {
        var underWay: Set<KeyedRequest.Name> = []
        /// Answers in the store, and places for those that may follow.
        var count: Int
    }

    private let limit: Int
    /// Guards the requests under way and the count.
    ///
    /// A leaf.
    private let state: Mutex<State>

    init(count: Int, limit: Int) {
        self.limit = limit
        self.state = Mutex(State(count: count))
    }

    /// Takes a key for one request.
    ///
    /// Throws `idempotency-in-flight` while another request has it.
    func begin(_ name: KeyedRequest.Name) throws(Problem) {
        guard !state.withLock({ $0.underWay.insert(name).inserted }) else { return }
        var facts = Problem.Facts()
        facts.retryAfterSeconds = 1
        throw Problem(
            .idempotencyInFlight,
            "A request with this Idempotency-Key is being answered just now.",
            facts
        )
    }

    func end(_ name: KeyedRequest.Name) { _ = state.withLock { $0.underWay.remove(name) } }

    /// Takes a place for one more answer; false when there is none.
    func reserve() -> Bool {
        state.withLock { state in
            guard state.count < limit else { return false }
            state.count += 1
            return true
        }
    }

    /// Gives places back: nothing came of a request, or answers were forgotten.
    func giveBack(_ count: Int = 1) { state.withLock { $0.count -= count } }
}
