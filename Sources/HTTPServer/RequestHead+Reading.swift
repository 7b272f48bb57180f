internal import CMicrohttpd
internal import Glibc

extension RequestHead {
    /// Reads the head libmicrohttpd has parsed, and checks that it read what was sent.
    ///
    /// libmicrohttpd 0.9.75 parses in place and forgives much: it cuts lines at NUL, skips
    /// superfluous spaces, takes a bare LF for a line's end, and joins folded lines to the wrong
    /// name. All of these leave a gap between one part and the next. So the parts must touch:
    /// method, SP, target, SP, version, CRLF, then for each header its name, the colon, blanks,
    /// its value, CRLF, and at last CRLF; where libmicrohttpd has put NULs for the separators.
    /// `target` is what it had been before its escapes were resolved in place; `cuts` becomes
    /// where the header lines are.
    init(
        of connection: OpaquePointer,
        method: UnsafePointer<CChar>,
        url: UnsafePointer<CChar>,
        version: UnsafePointer<CChar>,
        target: [UInt8],
        cuts: inout [KnownHead.Cut]
    ) throws(HeadFault) {
        let size = unsafe ferry_http_head_size(connection)
        var walk = unsafe HeadWalk(base: UnsafeRawPointer(method), byteCount: size)
        let methodBytes = unsafe bytes(method)
        guard !methodBytes.isEmpty, methodBytes.allSatisfy(\.isTokenCharacter) else {
            throw HeadFault("The method is not a token.")
        }
        guard target.first == UInt8(ascii: "/"), target.allSatisfy(\.isTargetCharacter) else {
            throw HeadFault("The request target must be a path of visible ASCII characters.")
        }
        let versionBytes = unsafe bytes(version)
        unsafe walk.take(method, methodBytes.count, separatorCount: 1)
        unsafe walk.take(url, target.count, separatorCount: 1)
        unsafe walk.take(version, versionBytes.count, separatorCount: 2)
        guard walk.isUnbroken else { throw HeadFault("The request line is malformed.") }
        let lines = HeaderLines()
        unsafe MHD_get_connection_values_n(
            connection,
            .HEADER_KIND,
            collectHeader,
            Unmanaged.passUnretained(lines).toOpaque()
        )
        self.headers = try lines.read(&walk)
        self.declaredByteCount = Self.declaredByteCount(in: headers)
        guard walk.isAtEnd else { throw HeadFault("A header line is malformed.") }
        cuts = unsafe lines.cuts(from: UnsafeRawPointer(method))
        let (path, query) = Self.split(target)
        self.method = String(decoding: methodBytes, as: UTF8.self)
        self.isHTTP11 = versionBytes == Array("HTTP/1.1".utf8)
        self.rawPath = path
        self.rawQuery = query
    }

    /// The path and the query of a target.
    static func split(_ target: [UInt8]) -> (path: String, query: String?) {
        let parts = target.split(
            separator: UInt8(ascii: "?"),
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        let texts = parts.map { String(decoding: $0, as: UTF8.self) }
        return (texts.first ?? "", texts.count > 1 ? texts[1] : nil)
    }
}

/// Where the next part of a head must start.
@safe private struct HeadWalk {
    private let head: UnsafeRawPointer
    private let byteCount: Int
    private var offset = 0
    private(set) var isUnbroken = true

    init(base: UnsafeRawPointer, byteCount: Int) {
        unsafe head = base
        self.byteCount = byteCount
    }

    /// Whether all parts touched and the empty line ends the head.
    var isAtEnd: Bool { isUnbroken && hasSeparator(2) && offset + 2 == byteCount }

    /// Takes a part that must start here and be followed by so many separators.
    mutating func take(_ part: UnsafePointer<CChar>, _ byteCount: Int, separatorCount: Int) {
        guard isUnbroken else { return }
        isUnbroken = unsafe UnsafeRawPointer(part) == head + offset
        offset += byteCount
        isUnbroken = isUnbroken && hasSeparator(separatorCount)
        offset += separatorCount
    }

    mutating func skipBlanks() {
        while offset < byteCount, isBlank(at: offset) {
            offset += 1
        }
    }

    private func isBlank(at offset: Int) -> Bool { [0x20, 0x09].contains(byte(at: offset)) }

    private func byte(at offset: Int) -> UInt8 {
        unsafe head.load(fromByteOffset: offset, as: UInt8.self)
    }

    private func hasSeparator(_ count: Int) -> Bool {
        offset >= 0 && offset + count <= byteCount
            && (offset..<offset + count).allSatisfy { byte(at: $0) == 0 }
    }
}

/// The header lines of a request as libmicrohttpd lists them.
@safe private final class HeaderLines {
    @safe struct Line {
        let name: UnsafePointer<CChar>
        let nameByteCount: Int
        let value: UnsafePointer<CChar>
        let valueByteCount: Int
    }

    /// Valid during the callback that collects them.
    var lines: [Line] = []

    func cuts(from base: UnsafeRawPointer) -> [KnownHead.Cut] {
        lines.map {
            unsafe KnownHead.Cut($0.name, $0.nameByteCount, $0.value, $0.valueByteCount, from: base)
        }
    }

    func read(_ walk: inout HeadWalk) throws(HeadFault) -> [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        headers.reserveCapacity(lines.count)
        for line in lines {
            unsafe walk.take(line.name, line.nameByteCount, separatorCount: 1)
            walk.skipBlanks()
            unsafe walk.take(line.value, line.valueByteCount, separatorCount: 2)
            guard walk.isUnbroken else { throw HeadFault("A header line is malformed.") }
            let name = unsafe UnsafeRawBufferPointer(start: line.name, count: line.nameByteCount)
            guard unsafe !name.isEmpty, unsafe name.allSatisfy(\.isTokenCharacter) else {
                throw HeadFault("A header's name is not a token.")
            }
            let value = unsafe UnsafeRawBufferPointer(start: line.value, count: line.valueByteCount)
            let text = unsafe String(decoding: name, as: UTF8.self).lowercased()
            guard unsafe value.allSatisfy(\.isFieldCharacter),
                let content = unsafe String(validating: value, as: UTF8.self)
            else {
                throw HeadFault("The value of \(text) has characters that no header may have.")
            }
            headers.append((text, Self.trimmed(content)))
        }
        return headers
    }

    /// Blanks after a value are no part of it.
    private static func trimmed(_ value: String) -> String {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        guard let last = value.utf8.last, isBlank(last) else { return value }
        let end = value.utf8.lastIndex { !isBlank($0) }.map { value.utf8.index(after: $0) }
        return String(value[..<(end ?? value.startIndex)])
    }
}

private func bytes(_ text: UnsafePointer<CChar>) -> [UInt8] {
    unsafe Array(UnsafeRawBufferPointer(start: text, count: strlen(text)))
}

/// libmicrohttpd's iterator over headers.
private func collectHeader(
    _ context: UnsafeMutableRawPointer?,
    _: MHD_ValueKind,
    _ name: UnsafePointer<CChar>?,
    _ nameByteCount: Int,
    _ value: UnsafePointer<CChar>?,
    _ valueByteCount: Int
) -> MHD_Result {
    guard let context = unsafe context, let name = unsafe name, let value = unsafe value else {
        return .NO
    }
    let lines = unsafe Unmanaged<HeaderLines>.fromOpaque(context).takeUnretainedValue()
    let line = unsafe HeaderLines.Line(
        name: name,
        nameByteCount: nameByteCount,
        value: value,
        valueByteCount: valueByteCount
    )
    lines.lines.append(line)
    return .YES
}
