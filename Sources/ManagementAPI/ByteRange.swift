/// The headers that name a part of a body (RFC 9110, 14).
enum ByteRange: Hashable, Sendable {
    /// The whole body: nothing else was asked for that Ferry gives.
    case whole
    case part(Range<UInt64>)
    /// None of the bytes asked for are there.
    case unsatisfiable

    /// What `Range` asks of a body of so many bytes; `If-Range` makes it count for one body alone.
    ///
    /// Anything but one range of bytes asks for the whole, as the RFC lets a server take it.
    init(_ range: String?, ifRange: String?, tag: String, of byteCount: UInt64) {
        guard let range, ifRange == nil || ifRange == tag, let text = Self.bytes(range) else {
            self = .whole
            return
        }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2 else {
            self = .whole
            return
        }
        switch (Self.number(ends[0]), Self.number(ends[1])) {
        case (let first?, let last?) where first <= last:
            self = Self(first, last, of: byteCount)
        case (let first?, nil) where ends[1].isEmpty:
            self = Self(first, .max, of: byteCount)
        case (nil, let suffix?) where ends[0].isEmpty:
            self =
                suffix == 0 || byteCount == 0
                ? .unsatisfiable : .part((byteCount - min(suffix, byteCount))..<byteCount)
        default:
            self = .whole
        }
    }

    private init(_ first: UInt64, _ last: UInt64, of byteCount: UInt64) {
        guard first < byteCount else {
            self = .unsatisfiable
            return
        }
        self = .part(first..<(min(last, byteCount - 1) + 1))
    }

    /// The set of a range whose unit is bytes.
    private static func bytes(_ range: String) -> Substring? {
        let unit = "bytes="
        guard range.lowercased().hasPrefix(unit) else { return nil }
        return range.dropFirst(unit.count)
    }

    fileprivate static func number(_ text: some StringProtocol) -> UInt64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return UInt64(text)
    }
}

/// Where the body of a request belongs in a longer one: `Content-Range: bytes 4096-8191/8192`.
struct ContentRange: Hashable, Sendable {
    let first: UInt64
    let last: UInt64
    let byteCount: UInt64

    /// Nil for another unit, numbers that contradict each other, and a length left open.
    init?(_ text: String) {
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].lowercased() == "bytes" else { return nil }
        let sides = parts[1].split(separator: "/", omittingEmptySubsequences: false)
        guard sides.count == 2, let byteCount = ByteRange.number(sides[1]) else { return nil }
        let ends = sides[0].split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let first = ByteRange.number(ends[0]),
            let last = ByteRange.number(ends[1]), first <= last, last < byteCount
        else { return nil }
        self.first = first
        self.last = last
        self.byteCount = byteCount
    }
}
