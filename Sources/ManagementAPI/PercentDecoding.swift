internal import MigrationCore

/// Percent-encoding (RFC 3986), undone once, in the one place that does it.
enum PercentDecoding {
    /// The segments of a path after its first slash.
    ///
    /// An encoded slash or NUL is refused: no two readers of such a path agree on it.
    static func segments(of rawPath: String) throws(Problem) -> [String] {
        guard rawPath.utf8.first == UInt8(ascii: "/") else {
            throw Problem(.badRequest, "The request target is no path.")
        }
        var segments: [String] = []
        for raw in rawPath.utf8.dropFirst().split(
            separator: UInt8(ascii: "/"),
            omittingEmptySubsequences: false
        ) {
            let segment = try text(raw, of: "path")
            guard !segment.utf8.contains(UInt8(ascii: "/")) else {
                throw Problem(.badRequest, "The path holds an encoded slash.")
            }
            segments.append(segment)
        }
        return segments
    }

    /// A name or a value of a query, where a plus is a space: most clients write one so.
    static func queryText(_ raw: some Collection<UInt8>) throws(Problem) -> String {
        let spaced = raw.map { $0 == UInt8(ascii: "+") ? UInt8(ascii: " ") : $0 }
        return try text(spaced, of: "query")
    }

    /// The text that percent-encoded bytes stand for.
    private static func text(
        _ raw: some Collection<UInt8>,
        of place: String
    ) throws(Problem) -> String {
        var bytes: [UInt8] = []
        var rest = raw.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.next().flatMap(hexadecimalDigit),
                let low = rest.next().flatMap(hexadecimalDigit)
            else {
                throw Problem(.badRequest, "The \(place) holds a % without two digits.")
            }
            bytes.append(high << 4 | low)
        }
        guard !bytes.contains(0) else {
            throw Problem(.badRequest, "The \(place) holds a NUL.")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Problem(.badRequest, "The \(place) is not UTF-8.")
        }
        return text
    }

    private static func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
