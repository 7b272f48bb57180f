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
/// A body that comes or goes bit by bit has its pauses in `body` and in `sending`.
final class Exchange: Sendable {
    let connection: ClientConnection
    /// The request target as it came.
    let target: [UInt8]
    /// Of a body that comes or goes bit by bit.
    let pause = Pause()
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
        case over
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
            case .calling, .suspended, .sending, .over: .nothing
            }
        }
    }

    /// Whether libmicrohttpd is to bring more of the body.
    var isReadingBody: Bool {
        guard case .readBody = step else { return false }
        return !pause.isPaused
    }

    /// The head is there, and what becomes of the body is decided.
    func didReadHead(_ head: KnownHead, upload: Upload? = nil) {
        incoming.withLock {
            $0.head = head
            $0.upload = upload
        }
        phase.withLock { $0 = .body }
    }

    /// What came of a part of a body that is collected.
    enum Collected {
        case taken
        case tooLong
        /// Other bodies have taken all there is.
        case noRoom
    }

    func append(
        _ part: UnsafeRawBufferPointer,
        limit: Int,
        of budget: BodyBudget
    ) -> Collected {
        incoming.withLock { incoming in
            let count = incoming.body.count + part.count
            guard count <= limit else { return .tooLong }
            let due = BodyBudget.charge(count) - incoming.charge
            guard budget.take(due) else { return .noRoom }
            incoming.charge += due
            if incoming.body.isEmpty, let declared = incoming.head?.head.declaredByteCount {
                incoming.body.reserveCapacity(Int(min(declared, 1 << 16)))
            }
            unsafe incoming.body.append(contentsOf: part)
            return .taken
        }
    }

    /// What the body counts for in the budget of all, once.
    func takeBodyCharge() -> Int {
        incoming.withLock { incoming in
            defer { incoming.charge = 0 }
            return incoming.charge
        }
    }

    /// The whole request, which the API is about to be called with.
    func beginCall() -> APIRequest? {
        phase.withLock { $0 = .calling }
        return incoming.withLock { incoming in
            guard !incoming.wasCalled, let head = incoming.head?.head else { return nil }
            incoming.wasCalled = true
            return head.request(by: connection.caller, body: incoming.body.take())
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
                phase = unsafe .suspended(
                    SuspendedConnection(
                        raw: connection,
                        wakeup: self.connection.wakeup
                    )
                )
                return nil
            case .head, .body, .suspended, .sending, .over:
                return nil
            }
        }
    }

    /// Takes the answer, from any thread.
    ///
    /// The first one counts.
    func answer(_ response: APIResponse) {
        let isTaken = phase.withLock { phase in
            switch phase {
            case .calling:
                phase = .answered(response)
                return true
            case .suspended(let connection):
                phase = .answered(response)
                connection.resume()
                return true
            case .head, .body, .answered, .sending, .over:
                return false
            }
        }
        if !isTaken { response.drop() }
    }

    /// The answer is libmicrohttpd's now; no other is taken any more.
    func beginSending() { phase.withLock { $0 = .sending } }

    /// The connection waits for somebody of ours, and its client may be gone already.
    func didPause() {
        connection.watch()
        if connection.hasHungUp { release() }
    }

    /// Lets go of a request whose client has hung up while it waits for us.
    ///
    /// On any thread. What waits for room to put its body in is let be: the rest of that body may
    /// be here already.
    func release() {
        let phase = phase.withLock { $0 }
        switch phase {
        // Nobody reads it: libmicrohttpd wakes up, finds the end of the stream, and closes.
        case .suspended: answer(APIResponse(status: 503, headers: [], body: []))
        case .sending: pause.cutOffIfPaused()
        case .head, .body, .calling, .answered, .over: return
        }
    }

    /// The request is over, in whatever way: what it still had is let go.
    ///
    /// The connection may be gone when this returns. False when the request was not heard to its
    /// end: the client is gone, late, or was refused by libmicrohttpd.
    func didEnd() -> Bool {
        pause.didEnd()
        let phase = phase.withLock { phase in
            defer { phase = .over }
            return phase
        }
        if case .answered(let response) = phase { response.drop() }
        upload?.abandon()
        switch phase {
        case .head, .body: return false
        case .calling, .suspended, .answered, .sending, .over: return true
        }
    }

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

    /// Where the body goes; nil when it is collected.
    var upload: Upload? { incoming.withLock { $0.upload } }

    private struct Incoming {
        var head: KnownHead?
        var upload: Upload?
        var body: [UInt8] = []
        var charge = 0
        var wasCalled = false
        var isLeftUnread = false
    }
}

extension APIResponse {
    /// Lets go of an answer that is not sent.
    func drop() {
        if case .streamed(let body) = content { body.didEnd() }
    }
}

extension [UInt8] {
    /// The bytes, leaving none behind.
    fileprivate mutating func take() -> [UInt8] {
        defer { self = [] }
        return self
    }
}
