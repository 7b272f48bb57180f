package import ManagementAPI

extension HTTPServer {
    /// The limits of a server.
    ///
    /// Every one of them is a bound on what strangers can take.
    package struct Options: Sendable {
        /// A body that is collected and longer than this is refused with 413.
        package var bodyByteLimit = 1 << 20
        /// Bytes of all bodies that are collected at a time, but for the first 16 KiB of each; more
        /// are refused with 503.
        ///
        /// One body of ``bodyByteLimit`` always has room.
        package var bodiesByteLimit = 64 << 20
        /// More clients than these wait in the listening socket's backlog, or another goes for them:
        /// the oldest that has not sent a whole head, or one that is idle.
        package var connectionLimit = 4096
        package var threadCount = 2
        /// A request line with headers longer than this is refused with 431.
        package var headByteLimit = 16_384
        /// libmicrohttpd's memory for one connection, all of it in use once a request was answered.
        ///
        /// A head that does not even fit in here is answered by libmicrohttpd itself, in HTML. One
        /// page more than 32 KiB, up to which libmicrohttpd takes it from the heap, which gives
        /// nothing back when a crowd has gone.
        package var connectionMemoryByteCount = 36_864
        /// From connecting, or from the request line, to the end of the headers.
        package var headTimeout = Duration.seconds(10)
        /// From the end of the headers to the end of the body; and the longest pause of a client
        /// whose body is streamed.
        package var bodyTimeout = Duration.seconds(30)
        /// Bytes a second that a streamed body must come with, but for one pause of ``bodyTimeout``.
        ///
        /// The time a sink makes the client wait does not count.
        package var uploadRateFloor = 16_384
        /// From the answer's first byte to its last, or for each block of a streamed one.
        ///
        /// The time a client waits for bytes of ours does not count.
        package var answerTimeout = Duration.seconds(60)
        /// From an answer to the next request line.
        package var idleTimeout = Duration.seconds(60)
        /// How long an idle client is safe from having to go for another.
        package var idleGrace = Duration.seconds(1)
        /// How long ``HTTPServer/stop()`` lets requests finish by themselves.
        package var stopGrace = Duration.seconds(1)
        /// Whether anybody on this host may come in by TCP, unauthenticated.
        package var allowsAnonymousLoopback = false

        package init() {}

        /// How often deadlines are looked at.
        var tick: Duration {
            let shortest = [headTimeout, bodyTimeout, answerTimeout, idleTimeout].min()
            return min(.seconds(1), max(.milliseconds(10), (shortest ?? .seconds(4)) / 4))
        }
    }

    /// Answers a request by calling the closure it is given once, on any thread, now or later.
    package typealias Handle =
        @Sendable (APIRequest, @escaping @Sendable (APIResponse) -> Void) -> Void

    /// Says what is to become of the body of a request, which has none yet.
    ///
    /// Asked on an HTTP thread, and only for methods that have one; must not block.
    package typealias OpenBody = @Sendable (APIRequest) -> BodyHandling

    /// Words an answer of the transport itself.
    package typealias Refuse = @Sendable (TransportRefusal, RefusedRequest) -> APIResponse
}
