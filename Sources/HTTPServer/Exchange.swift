internal import CMicrohttpd
internal import ManagementAPI
internal import Synchronization

/// One request and the way to its answer.
///
///     head ──► body ──► calling ──► suspended
///      │        │          │            │
///      │        │          ▼            ▼
///      └────────┴──────► sending ◄── answered
///
/// Everything happens on the connection's thread of libmicrohttpd, but for the answer: that comes
/// from any thread, while the API is called (`calling`) or while the connection is suspended.
final class Exchange: Sendable {
    let connection: ClientConnection
    /// The request target as it came.
    let target: [UInt8]
    /// Guards the rest of the request.
    ///
    /// Taken alone, by the connection's thread only.
    private let incoming = Mutex(Incoming())
    /// Guards the phase.
    ///
    /// libmicrohttpd's own locks are taken under it, by suspend and resume; it
    /// calls nothing of ours under those.
    private let phase = Mutex(Phase.head)

    init(connection: ClientConnection, target: [UInt8]) {
        self.connection = connection
        self.target = target
    }

    private enum Phase {
        case head
        case body
        /// The API has the request, and libmicrohttpd's thread waits for it to return.
        case calling
        /// The API has the request, and libmicrohttpd has put the connection aside.
        case suspended(SuspendedConnection)
        /// The answer is there and waits for libmicrohttpd's thread to come by.
        case answered(APIResponse)
        case sending
    }

    /// What is to be done when libmicrohttpd's thread comes by.
    enum Step {
        case readHead
        case readBody
        case send(APIResponse)
        case nothing
    }

    var step: Step {
        phase.withLock { phase in
            switch phase {
            case .head: .readHead
            case .body: .readBody
            case .answered(let response): .send(response)
            case .calling, .suspended, .sending: .nothing
            }
        }
    }

    var isSuspended: Bool {
        phase.withLock { if case .suspended = $0 { true } else { false } }
    }

    func didReadHead(_ head: KnownHead) {
        incoming.withLock {
            $0.head = head
            if let byteCount = head.head.declaredByteCount {
                $0.body.reserveCapacity(Int(min(byteCount, 1 << 16)))
            }
        }
        phase.withLock { $0 = .body }
    }

    /// Takes a part of the body; false when that makes it longer than the limit.
    func append(_ part: UnsafeRawBufferPointer, limit: Int) -> Bool {
        incoming.withLock { incoming in
            guard incoming.body.count + part.count <= limit else { return false }
            unsafe incoming.body.append(contentsOf: part)
            return true
        }
    }

    /// The whole request, which the API is about to be called with.
    func beginCall() -> APIRequest? {
        phase.withLock { $0 = .calling }
        return incoming.withLock { incoming in
            guard !incoming.wasCalled, let head = incoming.head?.head else { return nil }
            incoming.wasCalled = true
            return APIRequest(
                method: head.method == "HEAD" ? "GET" : head.method,
                rawPath: head.rawPath,
                rawQuery: head.rawQuery,
                headers: head.headers,
                body: incoming.body.take(),
                caller: connection.caller
            )
        }
    }

    /// Ends the call on libmicrohttpd's thread: the answer that is there, or `unless`'s, or else
    /// suspends the connection until there is one.
    func endCall(
        suspending connection: OpaquePointer,
        unless refusal: () -> APIResponse?
    ) -> APIResponse? {
        phase.withLock { phase in
            switch phase {
            case .answered(let response):
                return response
            case .calling:
                if let response = refusal() { return response }
                unsafe MHD_suspend_connection(connection)
                phase = unsafe .suspended(SuspendedConnection(raw: connection))
                return nil
            case .head, .body, .suspended, .sending:
                return nil
            }
        }
    }

    /// Takes the answer, from any thread.
    ///
    /// The first one counts.
    func answer(_ response: APIResponse) {
        phase.withLock { phase in
            switch phase {
            case .calling:
                phase = .answered(response)
            case .suspended(let connection):
                phase = .answered(response)
                connection.resume()
            case .head, .body, .answered, .sending:
                return
            }
        }
    }

    /// The answer is libmicrohttpd's now; no other is taken any more.
    func beginSending() { phase.withLock { $0 = .sending } }

    var rawPath: String { RequestHead.split(target).path }

    /// The request for a refusal of it; `head` is one that was read and not taken.
    func refused(_ head: RequestHead? = nil) -> RefusedRequest {
        let head = head ?? incoming.withLock { $0.head?.head }
        return RefusedRequest(
            method: head?.method,
            rawPath: rawPath,
            requestID: head?["x-request-id"],
            caller: connection.caller
        )
    }

    /// Whether the API was called.
    var wasCalled: Bool { incoming.withLock { $0.wasCalled } }

    /// Whether the connection ends with the request not read to its end.
    var leavesBodyUnread: Bool { incoming.withLock { $0.isLeftUnread } }

    func willLeaveBodyUnread() { incoming.withLock { $0.isLeftUnread = true } }

    private struct Incoming {
        var head: KnownHead?
        var body: [UInt8] = []
        var wasCalled = false
        var isLeftUnread = false
    }
}

/// A connection libmicrohttpd has put aside.
///
/// Sendable: the pointer stays valid as long as the connection is suspended, and resuming it is
/// what libmicrohttpd lets any thread do.
@safe private struct SuspendedConnection: @unchecked Sendable {
    private let raw: OpaquePointer

    init(raw: OpaquePointer) { unsafe self.raw = raw }

    func resume() { unsafe MHD_resume_connection(raw) }
}

extension [UInt8] {
    /// The bytes, leaving none behind.
    fileprivate mutating func take() -> [UInt8] {
        defer { self = [] }
        return self
    }
}
