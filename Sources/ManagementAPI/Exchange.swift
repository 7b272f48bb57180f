internal import Synchronization

/// A request as the transport hands it over: bounded, but nothing of it believed yet.
package struct APIRequest: Sendable {
    package let method: String
    /// The target as it came, percent-encoded: decoded per segment by the router, and only there.
    package let rawPath: String
    package let rawQuery: String?
    /// Names in lower case, in the order they came.
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]
    package let caller: Caller

    package init(
        method: String,
        rawPath: String,
        rawQuery: String?,
        headers: [(name: String, value: String)],
        body: [UInt8],
        caller: Caller
    ) {
        self.method = method
        self.rawPath = rawPath
        self.rawQuery = rawQuery
        self.headers = headers
        self.body = body
        self.caller = caller
    }

    /// The value of a header, by its name in lower case.
    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// Who sent a request, as far as the transport can prove it.
package enum Caller: Hashable, Sendable {
    /// The peer of a UNIX socket, by the kernel's word.
    case local(uid: UInt32, pid: UInt32)
    /// Anybody on this host, let in by `--allow-anonymous-loopback`.
    case anonymousLoopback
}

/// An answer.
package struct APIResponse: Sendable {
    package let status: Int
    package let headers: [(name: String, value: String)]
    package let content: Content
    /// Where the transport keeps what it makes of the answer; nil for one that is given once.
    package let form: AnswerForm?

    /// The body of an answer.
    package enum Content: Sendable {
        case whole([UInt8])
        case streamed(any StreamedBody)
    }

    package init(
        status: Int,
        headers: [(name: String, value: String)],
        body: [UInt8],
        form: AnswerForm? = nil
    ) {
        self.status = status
        self.headers = headers
        self.content = .whole(body)
        self.form = form
    }

    /// An answer whose body comes bit by bit.
    package init(
        status: Int,
        headers: [(name: String, value: String)],
        streaming body: any StreamedBody
    ) {
        self.status = status
        self.headers = headers
        self.content = .streamed(body)
        self.form = nil
    }

    /// The bytes of a body that is whole; none of one that is streamed.
    package var body: [UInt8] {
        switch content {
        case .whole(let bytes): bytes
        case .streamed: []
        }
    }
}

/// A place beside an answer that is given again and again, for what a transport makes of it.
///
/// It goes when the answer does.
package final class AnswerForm: Sendable {
    /// Guards the form that was made first.
    ///
    /// A leaf.
    private let made = Mutex<(any AnyObject & Sendable)?>(nil)

    package init() {}

    /// The form of this type, made when there is none yet.
    package func form<Form: AnyObject & Sendable>(orMake make: () -> Form?) -> Form? {
        if let known = made.withLock({ $0 }) as? Form { return known }
        let form = make()
        made.withLock { $0 = form }
        return form
    }
}

/// A request the transport refuses, as far as it has read it.
package struct RefusedRequest: Sendable {
    package let method: String?
    /// As it came, percent-encoded.
    package let rawPath: String
    /// The value of `X-Request-Id`.
    package let requestID: String?
    package let caller: Caller

    package init(method: String?, rawPath: String, requestID: String?, caller: Caller) {
        self.method = method
        self.rawPath = rawPath
        self.requestID = requestID
        self.caller = caller
    }
}

/// Why the transport refuses a request before the API sees it.
package enum TransportRefusal: Hashable, Sendable {
    /// The body is, or says it will be, longer than this many bytes.
    case bodyTooLarge(limit: Int)
    /// The request line and the headers are longer than this many bytes.
    case headersTooLarge(limit: Int)
    /// Headers that no two parsers read alike, or that are missing: what is wrong, in words.
    case badRequest(String)
    case unknownExpectation(String)
    /// A Host or an Origin that is not on the allow-list of anonymous loopback.
    case foreignHost(String)
    case foreignOrigin(String)
    /// The bodies of others have taken the room there is.
    case overloaded
    case shuttingDown
}
