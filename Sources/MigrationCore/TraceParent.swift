/// Where a request stands in a distributed trace: the `traceparent` of W3C Trace Context.
package struct TraceParent: Hashable, Sendable {
    /// As it came: `00-<trace id>-<parent id>-<flags>`.
    package let text: String

    /// Nil for what the specification says to ignore: another shape, capitals, ids of zeros.
    ///
    /// A later version may have more parts behind the four; version `ff` is none.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= Self.byteCount, bytes.count <= Self.byteLimit,
            [2, 35, 52].allSatisfy({ bytes[$0] == UInt8(ascii: "-") }),
            [0..<2, 3..<35, 36..<52, 53..<55].allSatisfy({ bytes[$0].allSatisfy(\.isLowerHex) }),
            !Self.isZero(bytes[3..<35]), !Self.isZero(bytes[36..<52])
        else { return nil }
        let version = String(decoding: bytes[..<2], as: UTF8.self)
        guard version != "ff" else { return nil }
        if bytes.count > Self.byteCount {
            guard version != "00", bytes[Self.byteCount] == UInt8(ascii: "-"),
                bytes.allSatisfy({ (0x21...0x7E).contains($0) })
            else { return nil }
        }
        self.text = text
    }

    /// The id of the whole trace: 32 hexadecimal digits.
    package var traceID: String { String(decoding: Array(text.utf8)[3..<35], as: UTF8.self) }

    private static let byteCount = 55
    /// A longer one is of no version that anybody knows.
    private static let byteLimit = 256

    private static func isZero(_ digits: ArraySlice<UInt8>) -> Bool {
        digits.allSatisfy { $0 == UInt8(ascii: "0") }
    }
}

extension TraceParent: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let trace = Self(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "not a traceparent"
            )
        }
        self = trace
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

extension UInt8 {
    fileprivate var isLowerHex: Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self)
            || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self)
    }
}
