import Synchronization

/// Waits for rounds of pre-copy, which change nothing durable, by the calls they make.
final class RoundCount: Sendable {
    private struct State {
        var rounds = 0
        var wanted = Int.max
        var waiter: (@Sendable () -> Void)?
    }

    // Guards the count; a leaf.
    private let state = Mutex(State())

    init(_ fixture: EngineFixture) {
        fixture.backend.observePreCopyInfo { [weak self] in self?.note() }
    }

    func wait(for count: Int) async throws {
        try await awaitCall("\(count) rounds of pre-copy") { told in
            let isThere = state.withLock { state in
                state.wanted = count
                if state.rounds < count { state.waiter = told }
                return state.rounds >= count
            }
            if isThere { told() }
        }
    }

    private func note() {
        let waiter = state.withLock { state in
            state.rounds += 1
            guard state.rounds >= state.wanted else {
                return nil as (@Sendable () -> Void)?
            }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?()
    }
}
