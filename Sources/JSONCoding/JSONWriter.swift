/// Writes typed values as compact JSON text, always valid UTF-8.
package enum JSONWriter {
    /// The text of a value.
    ///
    /// Fields come in the order they are encoded, keys of dictionaries sorted. Property names
    /// become lower snake case (`jobID` is `job_id`) unless the coding key itself holds `_`; keys
    /// of dictionaries are data and stay as they are. A nil property is left out. What
    /// ``JSONReader`` would refuse (integers above `Int64.max`, NUL in strings, deep nesting) is
    /// refused here.
    package static func encode(_ value: some Encodable) throws(JSONProblem) -> [UInt8] {
        let document = DocumentUnderWay()
        try SlotEncoder(document: document, slot: .root, path: .root, depth: 0).write(value)
        return try document.text()
    }

    /// One page of a list whose items are texts already: `{"items":[…],"next_cursor":…}`.
    ///
    /// `next_cursor` is null on the last page. The items are trusted to be JSON.
    package static func list(items: [[UInt8]], nextCursor: String?) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(items.reduce(64) { $0 + $1.count + 1 } + (nextCursor?.utf8.count ?? 0))
        text += #"{"items":["#.utf8
        for (index, item) in items.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            text += item
        }
        text += #"],"next_cursor":"#.utf8
        if let nextCursor { appendString(nextCursor, to: &text) } else { text += "null".utf8 }
        text.append(UInt8(ascii: "}"))
        return text
    }

    private static func appendString(_ string: String, to text: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        text.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
            case 0..<0x20:
                text += "\\u00".utf8
                text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: text.append(byte)
            }
        }
        text.append(UInt8(ascii: "\""))
    }
}
