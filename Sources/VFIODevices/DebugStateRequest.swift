internal import Dispatch
internal import Synchronization

/// One caller's list of devices, while it is read.
final class DebugStateRequest: Sendable {
    private struct State {
        var rest: ArraySlice<String>
        var underWay: String?
        var answers: [String: DebugStates.Answer] = [:]
    }

    let finished = DispatchSemaphore(value: 0)
    // Guards the progress of this request; the readers' lock may be taken inside it.
    private let state: Mutex<State>

    init(_ names: [String]) { self.state = Mutex(State(rest: names[...])) }

    /// The next device to read; nil when all are read or nobody waits any more.
    func next() -> String? {
        state.withLock { state in
            state.underWay = state.rest.popFirst()
            return state.underWay
        }
    }

    /// Takes a device's answer; nil when debugfs does not have it.
    func add(_ answer: DebugStates.Answer?, for name: String) {
        state.withLock { state in
            state.answers[name] = answer
            state.underWay = nil
        }
    }

    /// Ends the request: what was read so far, and word of the device whose read did not return.
    func abandon(_ stuck: (String) -> Void) -> [String: DebugStates.Answer] {
        state.withLock { state in
            state.rest = []
            // Told before the read can return and take the word back.
            if let name = state.underWay { stuck(name) }
            return state.answers
        }
    }
}
