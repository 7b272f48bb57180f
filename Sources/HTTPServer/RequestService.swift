internal import CMicrohttpd
internal import ManagementAPI
internal import Synchronization

/// What the callbacks of libmicrohttpd do.
///
/// They run on its threads, the ones of a connection always on the same.
final class RequestService: Sendable {
    let options: HTTPServer.Options
    let connections: ConnectionRegistry
    let requests = RequestsUnderWay()
    let door: Doorkeeper
    let bodies: BodyBudget
    private let rules: RequestRules
    private let metrics: TransportMetrics
    private let handle: HTTPServer.Handle
    let openBody: HTTPServer.OpenBody
    private let refuse: HTTPServer.Refuse
    private let isStopping = Atomic(false)
    /// Whether the time is over in which what was begun may finish.
    private let isEnding = Atomic(false)

    init(
        listener: ListeningSocket,
        options: HTTPServer.Options,
        metrics: TransportMetrics,
        handle: @escaping HTTPServer.Handle,
        openBody: @escaping HTTPServer.OpenBody,
        refuse: @escaping HTTPServer.Refuse
    ) throws(ListenFailure) {
        self.options = options
        self.metrics = metrics
        self.bodies = BodyBudget(max(options.bodiesByteLimit, options.bodyByteLimit))
        self.handle = handle
        self.openBody = openBody
        self.refuse = refuse
        self.rules = RequestRules(boundAddress: listener.boundAddress)
        do throws(HangupWatch.Failure) {
            self.connections = ConnectionRegistry(hangups: try HangupWatch())
        } catch {
            throw ListenFailure(listener.boundAddress, "epoll_create1", errno: error.errno)
        }
        self.door = try Doorkeeper(
            listener: listener,
            connections: connections,
            options: options
        )
    }

    func didConnect(_ descriptor: Int32, _ wakeup: Wakeup) -> ClientConnection {
        metrics.didConnect()
        let connection = connections.insert(
            descriptor,
            wakeup,
            headTimeout: options.headTimeout
        )
        door.didConnect()
        return connection
    }

    func didDisconnect(_ connection: ClientConnection) {
        if connection.hasUnreadBytes { linger(connection) }
        connections.remove(connection)
        metrics.didDisconnect()
        door.didDisconnect()
    }

    func didReadTarget(
        _ target: UnsafeRawBufferPointer,
        on connection: ClientConnection
    ) -> Exchange {
        let exchange = unsafe Exchange(
            connection: connection,
            target: connection.target(target)
        )
        connection.current = exchange
        connection.expectProgress(within: options.headTimeout)
        return exchange
    }

    /// The head is there, a part of the body, or the end of it; or the answer.
    func didProgress(_ exchange: Exchange, _ event: AccessEvent) -> MHD_Result {
        switch exchange.step {
        case .readHead:
            return readHead(of: exchange, event)
        case .readBody:
            guard let part = unsafe event.bodyPart else { return call(exchange, event) }
            if let upload = exchange.upload {
                return unsafe pass(part, to: upload, exchange, event)
            }
            return unsafe collect(part, exchange, event)
        case .send(let response):
            return send(response, for: exchange, event)
        case .nothing:
            return .YES
        }
    }

    func didEnd(_ exchange: Exchange) {
        let connection = exchange.connection
        connection.current = nil
        connection.expectProgress(within: options.idleTimeout)
        let wasHeard = exchange.didEnd()
        bodies.give(exchange.takeBodyCharge())
        if exchange.wasCalled { requests.leave() }
        // What was not heard out libmicrohttpd may have refused by itself.
        if exchange.leavesBodyUnread || !wasHeard { linger(connection) }
    }

    /// Sees a client out that may still be sending: closing a socket with bytes unread resets it,
    /// and takes the answer back that way.
    private func linger(_ connection: ClientConnection) {
        if let copy = connection.duplicate() { door.linger(copy) }
    }

    /// Ends what a thread cannot read on.
    ///
    /// libmicrohttpd queues nothing in the middle of a body, so the answer goes to the socket.
    func cutOffStuck(of wakeup: Wakeup) {
        connections.cutOffStuck(of: wakeup) { exchange in
            let refusal = TransportRefusal.badRequest("The framing of the body is too long.")
            return RawAnswer.bytes(of: refuse(refusal, exchange.refused()))
        }
    }

    /// From here on every request is refused.
    func beginStop() { isStopping.store(true, ordering: .sequentiallyConsistent) }

    /// Refuses the requests that still wait for the API, and cuts off what still comes or goes bit
    /// by bit, so that none is suspended any more, nor will be.
    func endWaiting() {
        isEnding.store(true, ordering: .sequentiallyConsistent)
        for connection in connections.all {
            guard let exchange = connection.current else { continue }
            exchange.answer(refuse(.shuttingDown, exchange.refused()))
            exchange.pause.cutOff()
        }
    }

    private func readHead(of exchange: Exchange, _ event: AccessEvent) -> MHD_Result {
        guard event.headByteCount <= options.headByteLimit else {
            return refuseAtOnce(exchange, .headersTooLarge(limit: options.headByteLimit), event)
        }
        let connection = exchange.connection
        do throws(HeadFault) {
            let head: KnownHead
            if let known = connection.knownHead, event.isAgain(known, target: exchange.target) {
                head = known
            } else {
                head = try event.head(target: exchange.target)
                if let refusal = rules.refusal(of: head.head, caller: connection.caller) {
                    return refuseAtOnce(exchange, refusal, event, head.head)
                }
                connection.knownHead = head.isWorthKeeping ? head : nil
            }
            if isStopping.load(ordering: .sequentiallyConsistent) {
                return refuseAtOnce(exchange, .shuttingDown, event, head.head)
            }
            if connection.prove() { connections.didProve(connection) }
            return openBody(of: exchange, head, event)
        } catch {
            return refuseAtOnce(exchange, .badRequest(error.description), event)
        }
    }

    /// Answers in the callback of the head, which makes libmicrohttpd close the connection.
    func refuseAtOnce(
        _ exchange: Exchange,
        _ refusal: TransportRefusal,
        _ event: AccessEvent,
        _ head: RequestHead? = nil
    ) -> MHD_Result {
        refuseAtOnce(exchange, refuse(refusal, exchange.refused(head)), event)
    }

    func refuseAtOnce(
        _ exchange: Exchange,
        _ response: APIResponse,
        _ event: AccessEvent
    ) -> MHD_Result {
        exchange.willLeaveBodyUnread()
        return send(response, for: exchange, event, closes: true)
    }

    /// Answers in the middle of a body.
    ///
    /// libmicrohttpd queues nothing there, so the answer goes
    /// straight to the socket, to which it has nothing to write itself, and it is told to close.
    func cutShort(_ exchange: Exchange, _ refusal: TransportRefusal) -> MHD_Result {
        cutShort(exchange, refuse(refusal, exchange.refused()))
    }

    func cutShort(_ exchange: Exchange, _ response: APIResponse) -> MHD_Result {
        exchange.willLeaveBodyUnread()
        exchange.beginSending()
        exchange.connection.send(RawAnswer.bytes(of: response))
        response.drop()
        return .NO
    }

    private func call(_ exchange: Exchange, _ event: AccessEvent) -> MHD_Result {
        exchange.connection.expectNothing()
        guard let request = exchange.beginCall() else { return .NO }
        requests.enter()
        if isStopping.load(ordering: .sequentiallyConsistent) {
            exchange.answer(refuse(.shuttingDown, exchange.refused()))
        } else if let upload = exchange.upload {
            upload.finish { exchange.answer($0) }
        } else {
            handle(request) { exchange.answer($0) }
        }
        // Under the exchange's lock and after the end's flag, or else before the end refuses those
        // that wait: either way nothing is suspended once it has.
        let response = unsafe exchange.endCall(suspending: event.connection) {
            isEnding.load(ordering: .sequentiallyConsistent)
                ? refuse(.shuttingDown, exchange.refused()) : nil
        }
        guard let response else {
            exchange.didPause()
            return .YES
        }
        return send(response, for: exchange, event)
    }

    private func send(
        _ response: APIResponse,
        for exchange: Exchange,
        _ event: AccessEvent,
        closes: Bool = false
    ) -> MHD_Result {
        exchange.beginSending()
        exchange.connection.expectProgress(within: options.answerTimeout)
        let isLast = closes || isStopping.load(ordering: .sequentiallyConsistent)
        return event.queue(
            response,
            for: exchange,
            closes: isLast,
            blockTimeout: options.answerTimeout
        )
    }
}
