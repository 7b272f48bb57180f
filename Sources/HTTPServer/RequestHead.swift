internal import ManagementAPI

/// The request line and the headers of a request, every byte of them checked.
struct RequestHead: Sendable {
    let method: String
    let isHTTP11: Bool
    /// As it came, percent-encoded.
    let rawPath: String
    let rawQuery: String?
    /// Names in lower case.
    let headers: [(name: String, value: String)]
    /// How long the body says it is; nil when it is chunked or there is none.
    let declaredByteCount: UInt64?

    /// The value of a header by its name in lower case.
    subscript(name: String) -> String? { headers.first { $0.name == name }?.value }

    /// Whether the request's method is one that comes with a body.
    var mayHaveBody: Bool { method != "GET" && method != "HEAD" }

    /// The request as the API gets it.
    func request(by caller: Caller, body: [UInt8] = []) -> APIRequest {
        APIRequest(
            method: method == "HEAD" ? "GET" : method,
            rawPath: rawPath,
            rawQuery: rawQuery,
            headers: headers,
            body: body,
            caller: caller
        )
    }

    /// The length that the headers declare; nil when they declare none, or no number.
    static func declaredByteCount(in headers: [(name: String, value: String)]) -> UInt64? {
        guard let text = headers.first(where: { $0.name == "content-length" })?.value,
            text.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains)
        else { return nil }
        return UInt64(text)
    }
}

/// A head that two parsers could read differently, or that is not HTTP: what is wrong with it.
struct HeadFault: Error, Hashable {
    let description: String

    init(_ description: String) { self.description = description }
}

extension UInt8 {
    /// A character of a method or of a header's name (RFC 9110, `tchar`).
    var isTokenCharacter: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(self)
        }
    }

    /// A character of a header's value: visible, space, tab, or part of a UTF-8 sequence.
    var isFieldCharacter: Bool { self >= 0x20 && self != 0x7F || self == 0x09 }

    /// A character of a request target: visible ASCII.
    var isTargetCharacter: Bool { self > 0x20 && self < 0x7F }
}
