import Synchronization

/// Waits for rounds of pre-copy, which change nothing durable, by the calls they make.
final class RoundCount: Sendable {
    private struct State {
        var rounds = 0
        var wanted = Int.max
        var waiter: CheckedContinuation<Void, Never>?
    }

    // Guards the count; a leaf.
    private let state = Mutex(State())

    init(_ fixture: EngineFixture) {
        fixture.backend.observePreCopyInfo { [weak self] in self?.note() }
    }

    func wait(for count: Int) async throws {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                state.wanted = count
                if state.rounds < count { state.waiter = continuation }
                return state.rounds >= count
            }
            if isThere { continuation.resume() }
        }
    }

    private func note() {
        let waiter = state.withLock { state in
            state.rounds += 1
            guard state.rounds >= state.wanted else {
                return nil as CheckedContinuation<Void, Never>?
            }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }
}
