internal import Dispatch
internal import Synchronization

/// Something that ends every wait that looks at it, once and for good: the close of a device.
final class Interruption: Sendable {
    private struct State {
        var hasCome = false
        var waiting: [ObjectIdentifier: DispatchSemaphore] = [:]
    }

    /// Guards whether it has come and who waits.
    ///
    /// A leaf.
    private let state = Mutex(State())

    /// Ends all waits, those to come too.
    func interrupt() {
        let waiting = state.withLock { state in
            state.hasCome = true
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for semaphore in waiting { semaphore.signal() }
    }

    /// Waits for a time, or without end; false when one of the interruptions came first.
    static func wait(nanoseconds: Int?, unless interruptions: [Interruption]) -> Bool {
        let semaphore = DispatchSemaphore(value: 0)
        defer { for interruption in interruptions { interruption.leave(semaphore) } }
        for interruption in interruptions where !interruption.enter(semaphore) { return false }
        guard let nanoseconds else {
            semaphore.wait()
            return false
        }
        return semaphore.wait(timeout: .now() + .nanoseconds(nanoseconds)) == .timedOut
    }

    private func enter(_ semaphore: DispatchSemaphore) -> Bool {
        state.withLock { state in
            guard !state.hasCome else { return false }
            state.waiting[ObjectIdentifier(semaphore)] = semaphore
            return true
        }
    }

    private func leave(_ semaphore: DispatchSemaphore) {
        state.withLock { $0.waiting[ObjectIdentifier(semaphore)] = nil }
    }
}
