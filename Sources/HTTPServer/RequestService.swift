internal import CMicrohttpd
internal import ManagementAPI
internal import Synchronization

/// What the callbacks of libmicrohttpd do.
///
/// They run on its threads, the ones of a connection always on the same.
final class RequestService: Sendable {
    let options: HTTPServer.Options
    let connections = ConnectionRegistry()
    let requests = RequestsUnderWay()
    let door: Doorkeeper
    private let rules: RequestRules
    private let metrics: TransportMetrics
    private let handle: HTTPServer.Handle
    private let refuse: HTTPServer.Refuse
    private let isStopping = Atomic(false)

    init(
        listener: ListeningSocket,
        options: HTTPServer.Options,
        metrics: TransportMetrics,
        handle: @escaping HTTPServer.Handle,
        refuse: @escaping HTTPServer.Refuse
    ) throws(ListenFailure) {
        self.options = options
        self.metrics = metrics
        self.handle = handle
        self.refuse = refuse
        self.rules = RequestRules(
            bodyByteLimit: options.bodyByteLimit,
            boundAddress: listener.boundAddress
        )
        self.door = try Doorkeeper(
            listener: listener,
            connections: connections,
            limit: options.connectionLimit,
            tick: options.tick
        )
    }

    func didConnect(_ descriptor: Int32) -> ClientConnection {
        let connection = ClientConnection(
            descriptor: descriptor,
            headTimeout: options.headTimeout
        )
        connections.insert(connection)
        metrics.didConnect()
        return connection
    }

    func didDisconnect(_ connection: ClientConnection) {
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
            if unsafe exchange.append(part, limit: options.bodyByteLimit) {
                event.didTakeBodyPart()
                return .YES
            }
            return cutShort(exchange, .bodyTooLarge(limit: options.bodyByteLimit))
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
        if exchange.wasCalled { requests.leave() }
        // Closing a socket with bytes unread resets it, and takes the answer back that way.
        if exchange.leavesBodyUnread, let copy = connection.duplicate() { door.linger(copy) }
    }

    /// From here on every request is refused.
    func beginStop() { isStopping.store(true, ordering: .sequentiallyConsistent) }

    /// Refuses the requests that still wait for the API, so that none is suspended any more.
    func refuseWaiting() {
        for connection in connections.all {
            guard let exchange = connection.current else { continue }
            exchange.answer(refuse(.shuttingDown, exchange.refused()))
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
            exchange.didReadHead(head)
            connection.expectProgress(within: options.bodyTimeout)
            return .YES
        } catch {
            return refuseAtOnce(exchange, .badRequest(error.description), event)
        }
    }

    /// Answers in the callback of the head, which makes libmicrohttpd close the connection.
    private func refuseAtOnce(
        _ exchange: Exchange,
        _ refusal: TransportRefusal,
        _ event: AccessEvent,
        _ head: RequestHead? = nil
    ) -> MHD_Result {
        exchange.willLeaveBodyUnread()
        return send(refuse(refusal, exchange.refused(head)), for: exchange, event, closes: true)
    }

    /// Answers in the middle of a body.
    ///
    /// libmicrohttpd queues nothing there, so the answer goes
    /// straight to the socket, to which it has nothing to write itself, and it is told to close.
    private func cutShort(_ exchange: Exchange, _ refusal: TransportRefusal) -> MHD_Result {
        exchange.willLeaveBodyUnread()
        exchange.beginSending()
        exchange.connection.send(RawAnswer.bytes(of: refuse(refusal, exchange.refused())))
        return .NO
    }

    private func call(_ exchange: Exchange, _ event: AccessEvent) -> MHD_Result {
        exchange.connection.expectNothing()
        guard let request = exchange.beginCall() else { return .NO }
        requests.enter()
        if isStopping.load(ordering: .sequentiallyConsistent) {
            exchange.answer(refuse(.shuttingDown, exchange.refused()))
        } else {
            handle(request) { exchange.answer($0) }
        }
        // Under the exchange's lock and after the stop's flag, or else before the stop refuses
        // those that wait: either way nothing is suspended once it has.
        let response = unsafe exchange.endCall(suspending: event.connection) {
            isStopping.load(ordering: .sequentiallyConsistent)
                ? refuse(.shuttingDown, exchange.refused()) : nil
        }
        guard let response else { return .YES }
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
        return event.queue(response, closes: isLast)
    }
}
