internal import CMicrohttpd
internal import Glibc

/// A head that was read and may be used, to know it again without reading it again: clients ask the
/// same way over and over.
///
/// What ``RequestHead`` makes of a head depends on nothing but its bytes as libmicrohttpd left
/// them, the places where it cut them, and the target before its escapes were resolved. When all
/// of these are equal the head is, down to every check it has passed.
final class KnownHead: Sendable {
    let head: RequestHead
    let target: [UInt8]
    private let bytes: [UInt8]
    private let urlOffset: Int
    private let versionOffset: Int
    private let cuts: [Cut]

    /// Where a header line's name and value are, from the start of the head.
    struct Cut: Hashable, Sendable {
        let nameOffset: Int
        let nameByteCount: Int
        let valueOffset: Int
        let valueByteCount: Int
    }

    /// A longer head is read each time, so that connections do not keep much.
    private static let byteLimit = 2048

    init(_ head: RequestHead, _ parsed: ParsedHead, target: [UInt8], cuts: [Cut]) {
        self.head = head
        self.target = target
        self.cuts = cuts
        self.urlOffset = parsed.urlOffset
        self.versionOffset = parsed.versionOffset
        let isShort = parsed.byteCount <= Self.byteLimit
        self.bytes = unsafe Array(
            UnsafeRawBufferPointer(start: parsed.base, count: isShort ? parsed.byteCount : 0)
        )
    }

    /// Whether a connection should keep it.
    var isWorthKeeping: Bool { !bytes.isEmpty }

    /// Whether a request's head is this one.
    func isHead(of parsed: ParsedHead, target: [UInt8]) -> Bool {
        guard parsed.byteCount == bytes.count, parsed.urlOffset == urlOffset,
            parsed.versionOffset == versionOffset, target == self.target
        else { return false }
        var comparison = unsafe CutComparison(base: parsed.base, cuts: cuts)
        unsafe withUnsafeMutablePointer(to: &comparison) { comparison in
            _ = unsafe MHD_get_connection_values_n(
                parsed.connection,
                .HEADER_KIND,
                compareCut,
                comparison
            )
        }
        guard comparison.isEqual else { return false }
        // Cut alike, the parts of both touch from the first byte to the last: all of it is there.
        return unsafe bytes.withUnsafeBytes { known in
            guard let start = known.baseAddress else { return true }
            return unsafe memcmp(start, parsed.base, known.count) == 0
        }
    }
}

/// Where libmicrohttpd has the head of a request, valid as long as the call that it came with.
@safe struct ParsedHead {
    let connection: OpaquePointer
    let base: UnsafeRawPointer
    let byteCount: Int
    let urlOffset: Int
    let versionOffset: Int
}

/// How far the header lines of a request are cut like known ones.
@safe private struct CutComparison {
    let base: UnsafeRawPointer
    let cuts: [KnownHead.Cut]
    var count = 0
    var isDifferent = false

    var isEqual: Bool { !isDifferent && count == cuts.count }

    mutating func compare(_ cut: KnownHead.Cut) {
        isDifferent = isDifferent || count >= cuts.count || cuts[count] != cut
        count += 1
    }
}

extension KnownHead.Cut {
    init(
        _ name: UnsafePointer<CChar>,
        _ nameByteCount: Int,
        _ value: UnsafePointer<CChar>,
        _ valueByteCount: Int,
        from base: UnsafeRawPointer
    ) {
        self.nameOffset = unsafe UnsafeRawPointer(name) - base
        self.nameByteCount = nameByteCount
        self.valueOffset = unsafe UnsafeRawPointer(value) - base
        self.valueByteCount = valueByteCount
    }
}

/// libmicrohttpd's iterator over headers.
private func compareCut(
    _ context: UnsafeMutableRawPointer?,
    _: MHD_ValueKind,
    _ name: UnsafePointer<CChar>?,
    _ nameByteCount: Int,
    _ value: UnsafePointer<CChar>?,
    _ valueByteCount: Int
) -> MHD_Result {
    guard let comparison = unsafe context?.assumingMemoryBound(to: CutComparison.self),
        let name = unsafe name, let value = unsafe value
    else { return .NO }
    let base = unsafe comparison.pointee.base
    let cut = unsafe KnownHead.Cut(name, nameByteCount, value, valueByteCount, from: base)
    unsafe comparison.pointee.compare(cut)
    return unsafe comparison.pointee.isDifferent ? .NO : .YES
}
