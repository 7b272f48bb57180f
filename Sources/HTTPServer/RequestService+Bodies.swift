internal import CMicrohttpd
internal import ManagementAPI

extension RequestService {
    /// Decides what becomes of the body.
    func openBody(
        of exchange: Exchange,
        _ known: KnownHead,
        _ event: AccessEvent
    ) -> MHD_Result {
        let head = known.head
        var upload: Upload?
        var limit = UInt64(options.bodyByteLimit)
        if head.mayHaveBody {
            exchange.connection.watch()
            switch openBody(head.request(by: exchange.connection.caller)) {
            case .collect: break
            case .stream(let sink, let byteLimit):
                upload = Upload(sink, byteLimit: byteLimit, pace: UploadPace(options))
                limit = byteLimit
            case .refuse(let response): return refuseAtOnce(exchange, response, event)
            }
        }
        exchange.didReadHead(known, upload: upload)
        if let byteCount = head.declaredByteCount, byteCount > limit {
            return refuseAtOnce(exchange, .bodyTooLarge(limit: Int(clamping: limit)), event)
        }
        exchange.connection.expectProgress(within: options.bodyTimeout)
        return .YES
    }

    /// Puts a part of a body to those before it.
    func collect(
        _ part: UnsafeRawBufferPointer,
        _ exchange: Exchange,
        _ event: AccessEvent
    ) -> MHD_Result {
        switch unsafe exchange.append(part, limit: options.bodyByteLimit, of: bodies) {
        case .taken:
            event.didTakeBodyPart()
            return .YES
        case .tooLong: return cutShort(exchange, .bodyTooLarge(limit: options.bodyByteLimit))
        case .noRoom: return cutShort(exchange, .overloaded)
        }
    }

    /// Gives a part of a body to its sink.
    ///
    /// libmicrohttpd offers a part that was not taken again when the connection is resumed, with
    /// what has come since.
    func pass(
        _ part: UnsafeRawBufferPointer,
        to upload: Upload,
        _ exchange: Exchange,
        _ event: AccessEvent
    ) -> MHD_Result {
        let connection = exchange.connection
        guard !upload.isTooLong(with: part.count) else {
            return cutShort(exchange, .bodyTooLarge(limit: Int(clamping: upload.byteLimit)))
        }
        while exchange.pause.beginAsking() {
            switch unsafe upload.sink.take(part, whenReady: { exchange.pause.end() }) {
            case .taken:
                event.didTakeBodyPart()
                connection.expectProgress(within: upload.didTake(part.count))
                return .YES
            case .refused(let response):
                return cutShort(exchange, response)
            case .later:
                upload.willWait()
                connection.expectNothing()
                if unsafe exchange.pause.pause(event.connection, waking: connection.wakeup) {
                    return .YES
                }
            }
        }
        return cutShort(exchange, .shuttingDown)
    }
}
