internal import CMicrohttpd
internal import Glibc
internal import ManagementAPI

/// One call of libmicrohttpd's access handler, valid while it lasts.
@safe struct AccessEvent {
    let connection: OpaquePointer
    private let url: UnsafePointer<CChar>
    private let method: UnsafePointer<CChar>
    private let version: UnsafePointer<CChar>
    private let part: UnsafePointer<CChar>?
    private let partByteCount: UnsafeMutablePointer<Int>

    init(
        connection: OpaquePointer,
        url: UnsafePointer<CChar>,
        method: UnsafePointer<CChar>,
        version: UnsafePointer<CChar>,
        part: UnsafePointer<CChar>?,
        partByteCount: UnsafeMutablePointer<Int>
    ) {
        unsafe self.connection = connection
        unsafe self.url = url
        unsafe self.method = method
        unsafe self.version = version
        unsafe self.part = part
        unsafe self.partByteCount = partByteCount
    }

    /// How long the request line and the headers are.
    var headByteCount: Int { unsafe ferry_http_head_size(connection) }

    /// Where the head is.
    private var parsedHead: ParsedHead {
        unsafe ParsedHead(
            connection: connection,
            base: UnsafeRawPointer(method),
            byteCount: headByteCount,
            urlOffset: UnsafeRawPointer(url) - UnsafeRawPointer(method),
            versionOffset: UnsafeRawPointer(version) - UnsafeRawPointer(method)
        )
    }

    /// Whether the head is one that was read before.
    func isAgain(_ known: KnownHead, target: [UInt8]) -> Bool {
        known.isHead(of: parsedHead, target: target)
    }

    /// The head, read and checked.
    func head(target: [UInt8]) throws(HeadFault) -> KnownHead {
        var cuts: [KnownHead.Cut] = []
        let head = try unsafe RequestHead(
            of: connection,
            method: method,
            url: url,
            version: version,
            target: target,
            cuts: &cuts
        )
        return KnownHead(head, parsedHead, target: target, cuts: cuts)
    }

    /// The next bytes of the body; nil when there are none.
    var bodyPart: UnsafeRawBufferPointer? {
        guard unsafe partByteCount.pointee > 0 else { return nil }
        return unsafe UnsafeRawBufferPointer(start: part, count: partByteCount.pointee)
    }

    func didTakeBodyPart() { unsafe partByteCount.pointee = 0 }

    private var isHead: Bool { unsafe strcmp(method, "HEAD") == 0 }

    /// Gives libmicrohttpd the answer to an exchange.
    ///
    /// A client may take `blockTimeout` for each block of a body that is streamed.
    func queue(
        _ response: APIResponse,
        for exchange: Exchange,
        closes: Bool,
        blockTimeout: Duration
    ) -> MHD_Result {
        let prepared =
            if case .streamed(let body) = response.content {
                unsafe PreparedResponse(
                    response,
                    streaming: StreamedAnswer(
                        body,
                        for: exchange,
                        on: connection,
                        blockTimeout: blockTimeout
                    ),
                    isHeadOnly: isHead || response.status == 304,
                    closes: closes
                )
            } else if !closes, let form = response.form {
                form.form { PreparedResponse(response) }
            } else {
                PreparedResponse(response, closes: closes)
            }
        return unsafe prepared?.queue(on: connection, status: response.status) ?? .NO
    }
}

extension APIResponse {
    /// The headers of the answer with those every answer of ours has.
    ///
    /// Content-Length is libmicrohttpd's to write.
    var transportHeaders: [(name: String, value: String)] {
        var headers = headers.filter { $0.name.lowercased() != "content-length" }
        if !headers.contains(where: { $0.name.lowercased() == "cache-control" }) {
            headers.append(("Cache-Control", "no-store"))
        }
        headers.append(("X-Content-Type-Options", "nosniff"))
        return headers
    }
}

/// An answer as it goes over the wire, for where libmicrohttpd cannot send it.
enum RawAnswer {
    static func bytes(of response: APIResponse) -> [UInt8] {
        let reason = unsafe MHD_get_reason_phrase_for(UInt32(response.status)).map {
            unsafe String(cString: $0)
        }
        var text = "HTTP/1.1 \(response.status) \(reason ?? "Error")\r\n"
        for (name, value) in response.transportHeaders
        where value.utf8.allSatisfy(\.isFieldCharacter) {
            text += "\(name): \(value)\r\n"
        }
        text += "Content-Length: \(response.body.count)\r\nConnection: close\r\n\r\n"
        return Array(text.utf8) + response.body
    }
}
