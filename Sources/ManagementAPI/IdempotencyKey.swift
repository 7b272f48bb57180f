internal import JobEngine
internal import MigrationCore

/// The text of an `Idempotency-Key` header: what a client calls a request that it may send again.
enum IdempotencyKey {
    private static let lengths = 1...255

    /// The key: bare, or as the quoted string of the IETF draft (RFC 9651), which is the same key.
    ///
    /// Throws `bad-request` for anything but 1 to 255 visible characters of ASCII.
    static func parse(_ header: String) throws(Problem) -> String {
        let text = Array(header.utf8)
        let key = text.first == quote ? unquoted(text) : text
        guard let key, lengths.contains(key.count), key.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw Problem(
                .badRequest,
                "The header Idempotency-Key must have \(lengths.lowerBound) to "
                    + "\(lengths.upperBound) visible ASCII characters, in quotes or not."
            )
        }
        return String(decoding: key, as: UTF8.self)
    }

    private static let quote = UInt8(ascii: "\"")
    private static let escape = UInt8(ascii: "\\")

    /// Nil when the quotes do not close at the end, or something is escaped that needs not be.
    private static func unquoted(_ text: [UInt8]) -> [UInt8]? {
        var key: [UInt8] = []
        var rest = text.dropFirst()
        while let byte = rest.popFirst() {
            switch byte {
            case quote: return rest.isEmpty ? key : nil
            case escape:
                guard let escaped = rest.popFirst(), [quote, escape].contains(escaped) else {
                    return nil
                }
                key.append(escaped)
            default: key.append(byte)
            }
        }
        return nil
    }
}

extension Call {
    /// The request by the key its client gave it; nil without one, or where none is taken.
    ///
    /// Throws `bad-request`.
    var keyedRequest: KeyedRequest? {
        get throws(Problem) {
            let route = endpoint.route
            guard route.isKeyed, let header = header("idempotency-key") else { return nil }
            return KeyedRequest(
                name: KeyedRequest.Name(
                    caller: caller.name,
                    method: route.method.rawValue,
                    path: "\(route.template)",
                    key: try IdempotencyKey.parse(header)
                ),
                body: body
            )
        }
    }
}

extension APIResponse {
    /// The answer to a request that made something, the first time or again.
    init(_ given: GivenAnswer) {
        var headers = [("Location", given.answer.location)]
        // What is accepted goes on: it is worth looking at it again soon.
        if given.answer.status == 202 { headers.append(("Retry-After", "1")) }
        if given.isReplayed { headers.append(("Idempotency-Replayed", "true")) }
        self = .document(
            text: given.answer.body,
            status: given.answer.status,
            headers: headers
        )
    }
}
