import Dispatch
import MigrationCore
import Synchronization

/// One wait of a test for one call; whatever ends it first does.
final class OneWait<Value: Sendable>: Sendable {
    private struct State {
        var waiter: CheckedContinuation<Value?, Never>?
        var isOver = false
    }

    // Guards who waits; a leaf.
    private let state = Mutex(State())

    func begin(_ waiter: CheckedContinuation<Value?, Never>) {
        let isOver = state.withLock { state in
            if !state.isOver { state.waiter = waiter }
            return state.isOver
        }
        if isOver { waiter.resume(returning: nil) }
    }

    /// Nil for a wait that came to nothing.
    func end(with value: Value?) {
        let waiter = state.withLock { state in
            defer { state = State(waiter: nil, isOver: true) }
            return state.waiter
        }
        waiter?.resume(returning: value)
    }
}

private let lateness = DispatchQueue(label: "test.late")

/// What somebody is called with, whom `ask` hands on; a test that would wait for ever fails after
/// ten minutes instead.
func awaited<Value: Sendable>(
    _ what: String,
    _ ask: (@escaping @Sendable (Value) -> Void) -> Void
) async throws -> Value {
    let wait = OneWait<Value>()
    let value = await withCheckedContinuation { continuation in
        wait.begin(continuation)
        lateness.asyncAfter(deadline: .now() + 600) { wait.end(with: nil) }
        ask { wait.end(with: $0) }
    }
    guard let value else { throw Problem(.timedOut, "The test waits in vain for \(what).") }
    return value
}

/// The same for a call that says nothing.
func awaitCall(
    _ what: String,
    _ ask: (@escaping @Sendable () -> Void) -> Void
) async throws {
    let _: Bool = try await awaited(what) { told in ask { told(true) } }
}
