/// The body of an answer that does not exist whole: the transport takes it bit by bit, as fast as
/// the client reads.
package protocol StreamedBody: AnyObject, Sendable {
    /// Bytes of the whole body, for Content-Length; nil when it is not known, and then the body is
    /// chunked.
    var byteCount: UInt64? { get }

    /// Copies what is there.
    ///
    /// Never blocks: called on an HTTP thread, by one at a time. After `later`, `whenReady` is called
    /// once, on any thread, when it is worth asking again.
    func read(
        into buffer: UnsafeMutableRawBufferPointer,
        whenReady: @escaping @Sendable () -> Void
    ) -> StreamedRead

    /// The transport needs the body no longer: it was sent to its end, or its client is gone.
    ///
    /// Called once. Nothing is read after it.
    func didEnd()
}

/// What came of asking a streamed body for bytes.
package enum StreamedRead: Hashable, Sendable {
    /// So many, at least one.
    case bytes(Int)
    /// None now.
    case later
    /// There are no more.
    case end
    /// There should be more, and there never will be: the client is cut off, so that it cannot take
    /// what it has for the whole.
    case failed
}

/// Takes the body of a request bit by bit.
package protocol RequestBodySink: AnyObject, Sendable {
    /// Takes bytes, all of them or none.
    ///
    /// Never blocks: called on an HTTP thread, by one at a time. After `later`, which took none,
    /// `whenReady` is called once, on any thread, when it is worth offering the same bytes again.
    func take(
        _ bytes: UnsafeRawBufferPointer,
        whenReady: @escaping @Sendable () -> Void
    ) -> SinkAnswer

    /// The body is whole; `reply` is called once, on any thread.
    func finish(reply: @escaping @Sendable (APIResponse) -> Void)

    /// The client is gone before the end of the body, or was refused; nothing follows.
    func abandon()
}

/// What a sink says to bytes.
package enum SinkAnswer: Sendable {
    case taken
    case later
    /// No more is wanted; the client is told so, and its connection ends.
    case refused(APIResponse)
}

/// What is to become of the body of a request whose head is there.
package enum BodyHandling: Sendable {
    /// It is collected, up to the transport's limit, and handed on with the request.
    case collect
    /// It goes to a sink, which answers the request; it may be this long.
    case stream(any RequestBodySink, byteLimit: UInt64)
    /// It is not wanted.
    case refuse(APIResponse)
}
