/// Takes objects apart without reading what is in them.
package enum JSONSelection {
    /// The text of an object with only those of its members that have one of these names, in their
    /// order.
    ///
    /// The text is trusted to be an object as ``JSONWriter`` writes it: compact, with names that
    /// hold no escapes.
    package static func members(of text: [UInt8], named names: Set<String>) -> [UInt8] {
        var selected = [UInt8(ascii: "{")]
        for member in members(of: text) {
            let name = text[member.name]
            guard names.contains(String(decoding: name, as: UTF8.self)) else { continue }
            if selected.count > 1 { selected.append(UInt8(ascii: ",")) }
            // From the quote before the name to the end of the value.
            selected += text[(name.startIndex - 1)..<member.end]
        }
        selected.append(UInt8(ascii: "}"))
        return selected
    }

    /// Where the name of each member is, without its quotes, and where its value ends.
    private static func members(of text: [UInt8]) -> [(name: Range<Int>, end: Int)] {
        var members: [(name: Range<Int>, end: Int)] = []
        var name: Range<Int>?
        var depth = 0
        var stringStart: Int?
        var isEscaped = false
        for (offset, byte) in text.enumerated() {
            if let start = stringStart {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    stringStart = nil
                    if depth == 1, name == nil { name = start..<offset }
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): stringStart = offset + 1
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            let isEnd = depth == 1 && byte == UInt8(ascii: ",") || depth == 0
            if isEnd, let ended = name {
                members.append((ended, offset))
                name = nil
            }
        }
        return members
    }
}
