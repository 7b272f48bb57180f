internal import CMicrohttpd
internal import ManagementAPI

/// The body of an answer on its way to a client, block by block.
///
/// Sendable: the pointer is used on the connection's thread only, while libmicrohttpd asks for
/// a block.
@safe final class StreamedAnswer: @unchecked Sendable {
    let byteCount: UInt64?
    private let body: any StreamedBody
    private let exchange: Exchange
    private let connection: OpaquePointer
    /// How long a client may take for one block.
    private let blockTimeout: Duration

    init(
        _ body: any StreamedBody,
        for exchange: Exchange,
        on connection: OpaquePointer,
        blockTimeout: Duration
    ) {
        self.byteCount = body.byteCount
        self.body = body
        self.exchange = exchange
        unsafe self.connection = connection
        self.blockTimeout = blockTimeout
    }

    // libmicrohttpd holds it as long as it has the response, in whatever way that ends.
    deinit { body.didEnd() }

    /// The next bytes, as libmicrohttpd wants them told: their number, or why there are none.
    ///
    /// libmicrohttpd asks when it has given the bytes before to the system, so to ask is progress.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        exchange.connection.wakeup.didCall()
        while exchange.pause.beginAsking() {
            switch unsafe body.read(into: buffer, whenReady: { [exchange] in exchange.pause.end() })
            {
            case .bytes(let count):
                guard (1...buffer.count).contains(count) else { return breakOff() }
                exchange.connection.expectProgress(within: blockTimeout)
                return count
            case .end: return ferry_http_body_end
            case .failed: return breakOff()
            case .later:
                exchange.connection.expectNothing()
                if unsafe exchange.pause.pause(connection, waking: exchange.connection.wakeup) {
                    exchange.didPause()
                    return 0
                }
            }
        }
        return breakOff()
    }

    /// Ends the connection in the middle of the body.
    private func breakOff() -> Int {
        unsafe ferry_http_look_again(connection)
        exchange.connection.wakeup.signal()
        return ferry_http_body_broken
    }
}

extension PreparedResponse {
    /// What libmicrohttpd keeps of a block for an answer of known length.
    private static let blockByteCount: UInt64 = 65_536

    /// Nil when there is no memory.
    convenience init?(
        _ response: APIResponse,
        streaming answer: StreamedAnswer,
        isHeadOnly: Bool,
        closes: Bool
    ) {
        // A body of unknown length is chunked in the connection's own memory; the block is for the
        // clients that know no chunks.
        let blockByteCount = answer.byteCount.map { max(1, min($0, Self.blockByteCount)) } ?? 4096
        let retained = unsafe Unmanaged.passRetained(answer)
        let made = unsafe MHD_create_response_from_callback(
            answer.byteCount ?? ferry_http_unknown_size,
            Int(blockByteCount),
            readBody,
            retained.toOpaque(),
            bodyEnded
        )
        guard let made = unsafe made else {
            unsafe retained.release()
            return nil
        }
        // libmicrohttpd 0.9.75 sends the last chunk even where no body may be.
        if isHeadOnly, answer.byteCount == nil { unsafe ferry_http_forbid_chunks(made) }
        unsafe self.init(made, response, closes: closes)
    }
}
