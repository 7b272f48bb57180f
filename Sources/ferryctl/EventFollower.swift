internal import APIClient
internal import APISchema
internal import JSONCoding

/// Reads the events of a server, and goes on with the next one after a break.
struct EventFollower {
    /// A place that is none of any server's, which it answers with what it still has.
    private static let nowhere = "0"
    /// The wait before the server is asked again, in milliseconds, until it says another.
    private static let standardPause = 2000
    private static let pauseLimit = 30_000

    let client: APIClient
    let printer: Printer
    let filter: String?
    var pause: (Int) -> Void = APIClient.pauseThread

    /// Tells what the server keeps, from behind a position or from its start, up to now.
    func replay(from position: String?) throws(ClientProblem) {
        var position = position ?? Self.nowhere
        if position == Self.nowhere {
            guard let oldest = try oldest() else { return }
            position = oldest
        }
        let state = State()
        var cursor: String? = position
        _ = try client.streamEvents(from: &cursor, filter: filter) { event in
            tell(event, state)
            return event.type != "ready" && state.problem == nil
        }
        if let problem = state.problem { throw problem }
        guard state.isReady else {
            throw .notUnderstood(status: 200, detail: "The events ended before they were told.")
        }
    }

    /// Tells events as they happen, until it is ended from outside or the server refuses.
    func follow(from position: String?) throws(ClientProblem) -> Never {
        var position = position
        let state = State()
        var isBroken = false
        while true {
            var milliseconds = Self.standardPause
            do throws(ClientProblem) {
                milliseconds =
                    try client.streamEvents(from: &position, filter: filter) { event in
                        if isBroken { printer.note("connected again") }
                        isBroken = false
                        state.hasHeard = true
                        tell(event, state)
                        return state.problem == nil
                    } ?? milliseconds
            } catch {
                // Who was never heard of is not waited for.
                guard error.isBreak || error.isOverload, state.hasHeard else { throw error }
                milliseconds = error.retryMilliseconds ?? milliseconds
                if !isBroken { printer.note("\(error.words) Trying again.") }
            }
            if let problem = state.problem { throw problem }
            isBroken = true
            pause(min(max(0, milliseconds), Self.pauseLimit))
        }
    }

    /// The id behind which everything is that the server keeps.
    private func oldest() throws(ClientProblem) -> String? {
        let state = State()
        var position: String? = Self.nowhere
        _ = try client.streamEvents(from: &position, filter: nil) { event in
            if event.type == "gap", let gap = Self.document(in: event) { state.oldest = gap.oldest }
            return event.type != "gap" && event.type != "ready"
        }
        return state.oldest
    }

    private func tell(_ streamed: StreamedEvent, _ state: State) {
        guard let event = Self.document(in: streamed) else {
            state.problem = .notUnderstood(
                status: 200,
                detail: "An event is not as expected: \(streamed.data.prefix(200))"
            )
            return
        }
        switch event.type {
        case "ready": state.isReady = true
        case "gap":
            let oldest = event.oldest.map { "; what is kept is behind --after \($0)" } ?? ""
            printer.note("events are missing before \(event.id)\(oldest)")
        default: printer.show(event, EventReport.line(event))
        }
    }

    private static func document(in event: StreamedEvent) -> EventDTO? {
        try? JSONReader.decode(
            EventDTO.self,
            from: Array(event.data.utf8),
            unknownFields: .ignore
        )
    }

    /// What was heard so far; of the thread that reads alone.
    private final class State {
        var isReady = false
        var hasHeard = false
        var oldest: String?
        var problem: ClientProblem?
    }
}

extension ClientProblem {
    fileprivate var isOverload: Bool {
        guard case .refused(let problem) = self else { return false }
        return problem.code == "overloaded"
    }

    fileprivate var retryMilliseconds: Int? {
        guard case .refused(let problem) = self, let seconds = problem.retryAfterS else {
            return nil
        }
        return min(max(0, seconds), 3600) * 1000
    }
}
