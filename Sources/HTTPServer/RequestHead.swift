/// The request line and the headers of a request, every byte of them checked.
struct RequestHead: Sendable {
    let method: String
    let isHTTP11: Bool
    /// As it came, percent-encoded.
    let rawPath: String
    let rawQuery: String?
    /// Names in lower case.
    let headers: [(name: String, value: String)]

    /// The value of a header by its name in lower case.
    subscript(name: String) -> String? { headers.first { $0.name == name }?.value }

    /// How long the body says it is; nil when it is chunked or there is none.
    var declaredByteCount: UInt64? { self["content-length"].flatMap { UInt64($0) } }
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
