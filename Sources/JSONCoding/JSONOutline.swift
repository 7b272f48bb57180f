/// Follows the nesting of a text byte by byte, without building anything: bounds its depth before
/// a recursive parser sees it, and finds the path of a byte the parser stumbled at.
struct JSONOutline {
    private struct Frame {
        let isObject: Bool
        /// The bytes of the current key, quotes and all.
        var key: Range<Int>?
        var index = 0
        var awaitsKey: Bool
    }

    private var frames: [Frame] = []
    private var stringStart: Int?
    private var isEscaped = false

    /// The offset of the first bracket that nests deeper than the limit.
    static func firstOffset(in bytes: [UInt8], deeperThan limit: Int) -> Int? {
        var outline = JSONOutline()
        for offset in bytes.indices {
            outline.consume(bytes[offset], at: offset)
            if outline.frames.count > limit { return offset }
        }
        return nil
    }

    /// The path of the value whose bytes end just before `offset`.
    static func path(in bytes: [UInt8], upTo offset: Int) -> JSONPath {
        var outline = JSONOutline()
        for index in bytes.indices.prefix(max(0, offset)) {
            outline.consume(bytes[index], at: index)
        }
        return outline.frames.reduce(.root) { path, frame in
            guard frame.isObject else { return .item(frame.index, of: path) }
            guard let key = frame.key else { return path }
            return .field(name(bytes[key]), of: path)
        }
    }

    /// What a key says; as it is written when it is no valid string.
    private static func name(_ quoted: ArraySlice<UInt8>) -> String {
        let whole = try? JSONReader.decode(String.self, from: Array(quoted), unknownFields: .ignore)
        return whole ?? String(decoding: quoted.dropFirst().dropLast(), as: UTF8.self)
    }

    private mutating func consume(_ byte: UInt8, at offset: Int) {
        if let start = stringStart {
            consumeInString(byte, at: offset, from: start)
            return
        }
        switch byte {
        case UInt8(ascii: "\""): stringStart = offset
        case UInt8(ascii: "{"): frames.append(Frame(isObject: true, awaitsKey: true))
        case UInt8(ascii: "["): frames.append(Frame(isObject: false, awaitsKey: false))
        case UInt8(ascii: "}"), UInt8(ascii: "]"): _ = frames.popLast()
        case UInt8(ascii: ","): nextMember()
        default: break
        }
    }

    private mutating func consumeInString(_ byte: UInt8, at offset: Int, from start: Int) {
        if isEscaped {
            isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
            isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
            stringStart = nil
            guard let top = frames.indices.last, frames[top].awaitsKey else { return }
            frames[top].key = start..<offset + 1
            frames[top].awaitsKey = false
        }
    }

    private mutating func nextMember() {
        guard let top = frames.indices.last else { return }
        frames[top].index += 1
        frames[top].key = nil
        frames[top].awaitsKey = frames[top].isObject
    }
}
