package import ManagementAPI

extension HTTPServer {
    /// The limits of a server.
    ///
    /// Every one of them is a bound on what strangers can take.
    package struct Options: Sendable {
        /// A body longer than this is refused with 413.
        package var bodyByteLimit = 1 << 20
        /// More clients than these wait in the listening socket's backlog.
        package var connectionLimit = 512
        package var threadCount = 2
        /// A request line with headers longer than this is refused with 431.
        package var headByteLimit = 32_768
        /// libmicrohttpd's memory for one connection.
        ///
        /// A head that does not even fit in here is answered by libmicrohttpd itself, in HTML.
        package var connectionMemoryByteCount = 65_536
        /// From connecting, or from the request line, to the end of the headers.
        package var headTimeout = Duration.seconds(10)
        /// From the end of the headers to the end of the body.
        package var bodyTimeout = Duration.seconds(30)
        /// From the answer's first byte to its last.
        package var answerTimeout = Duration.seconds(60)
        /// From an answer to the next request line.
        package var idleTimeout = Duration.seconds(60)
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

    /// Words an answer of the transport itself.
    package typealias Refuse = @Sendable (TransportRefusal, RefusedRequest) -> APIResponse
}
