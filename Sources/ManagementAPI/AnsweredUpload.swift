extension BodyHandling {
    /// The same, with its answer counted, named and logged like any other.
    func answered(by answer: PendingAnswer) -> Self {
        switch self {
        case .collect: .collect
        case .stream(let sink, let byteLimit):
            .stream(AnsweredUpload(sink, answer), byteLimit: byteLimit)
        case .refuse(let response): .refuse(answer.settled(response))
        }
    }
}

/// A sink whose answer, or refusal, is a request's.
private final class AnsweredUpload: RequestBodySink {
    private let sink: any RequestBodySink
    private let answer: PendingAnswer

    init(_ sink: any RequestBodySink, _ answer: PendingAnswer) {
        self.sink = sink
        self.answer = answer
    }

    func take(
        _ bytes: UnsafeRawBufferPointer,
        whenReady: @escaping @Sendable () -> Void
    ) -> SinkAnswer {
        switch unsafe sink.take(bytes, whenReady: whenReady) {
        case .refused(let response): .refused(answer.settled(response))
        case .taken: .taken
        case .later: .later
        }
    }

    func finish(reply: @escaping @Sendable (APIResponse) -> Void) {
        sink.finish { [answer] in reply(answer.settled($0)) }
    }

    func abandon() { sink.abandon() }
}
