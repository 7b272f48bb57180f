/// The stream of events.
extension APIClient {
    /// How long a stream of events may be silent, in seconds: the server's own sign of life comes
    /// more often.
    private static let silenceSeconds = 60

    /// Hands on events as they come, until the stream ends, breaks or `handle` says false.
    ///
    /// `position` is the last event that is known; it is moved on with every event that was handled,
    /// and with the signs of life between them, so that a call with it misses nothing.
    /// - Returns: the wait in milliseconds that the server asks for before the next call, if it did.
    package func streamEvents(
        from position: inout String?,
        filter: String?,
        _ handle: @escaping (StreamedEvent) -> Bool
    ) throws(ClientProblem) -> Int? {
        let sink = EventSink(EventStreamParser(lastID: position), handle)
        defer { position = sink.position }
        try perform(
            CurlTransport.Request(
                method: "GET",
                target: Self.target("/v1/events", filter.map { [("filter", $0)] } ?? []),
                headers: [("Accept", "text/event-stream")]
                    + (position.map { [("Last-Event-ID", $0)] } ?? []),
                patience: .betweenParts(seconds: Self.silenceSeconds)
            ),
            into: sink
        )
        if let problem = sink.problem { throw problem }
        return sink.retryMilliseconds
    }
}

private final class EventSink: AnswerSink {
    private var parser: EventStreamParser
    private let handle: (StreamedEvent) -> Bool
    private(set) var problem: ClientProblem?
    private(set) var position: String?

    init(_ parser: EventStreamParser, _ handle: @escaping (StreamedEvent) -> Bool) {
        self.parser = parser
        self.handle = handle
        self.position = parser.lastID
    }

    var retryMilliseconds: Int? { parser.retryMilliseconds }

    func begin(_ head: AnswerHead) -> Bool {
        guard head.contentType?.hasPrefix("text/event-stream") == true else {
            problem = .notUnderstood(
                status: head.status,
                detail: "The answer is no stream of events."
            )
            return false
        }
        return true
    }

    func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        do throws(EventStreamParser.TooLong) {
            for event in try unsafe parser.take(bytes) {
                guard handle(event) else { return false }
                position = event.id
            }
            position = parser.lastID
            return true
        } catch {
            problem = .notUnderstood(status: 200, detail: "An event is too long.")
            return false
        }
    }
}
