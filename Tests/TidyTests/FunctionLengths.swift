/// How long the functions of a file are.
enum FunctionLengths {
    struct Function: Hashable {
        /// The line of its keyword, from 1.
        let line: Int
        /// From that line to its closing brace, both counted.
        let lineCount: Int
    }

    static func functions(in text: SwiftText) -> [Function] {
        let code = Array(text.code.joined(separator: "\n").utf8)
        var lineOfByte: [Int] = []
        lineOfByte.reserveCapacity(code.count)
        var line = 1
        for byte in code {
            lineOfByte.append(line)
            if byte == newline { line += 1 }
        }
        return keywords(in: code).compactMap { start in
            guard let end = endOfBody(in: code, from: start) else { return nil }
            let first = lineOfByte[start]
            return Function(line: first, lineCount: lineOfByte[end] - first + 1)
        }
    }

    /// Where a declaration of a function, initializer, deinitializer or subscript begins.
    private static func keywords(in code: [UInt8]) -> [Int] {
        let words = ["func", "init", "deinit", "subscript"].map { Array($0.utf8) }
        let initials = Set(words.compactMap(\.first))
        return code.indices.filter { at in
            guard initials.contains(code[at]) else { return false }
            // `.init(…)` is a call.
            if at > 0, isNamePart(code[at - 1]) || code[at - 1] == UInt8(ascii: ".") {
                return false
            }
            return words.contains { word in
                let end = at + word.count
                return code[at...].starts(with: word)
                    && (end == code.count || !isNamePart(code[end]))
            }
        }
    }

    /// The closing brace of the body, or nil for a declaration without one (in a protocol).
    private static func endOfBody(in code: [UInt8], from start: Int) -> Int? {
        var parentheses = 0
        var braces = 0
        for at in start..<code.count {
            switch code[at] {
            case UInt8(ascii: "("), UInt8(ascii: "["): parentheses += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"): parentheses -= 1
            case UInt8(ascii: "{"): braces += 1
            case UInt8(ascii: "}"):
                braces -= 1
                if braces < 0 { return nil }
                if braces == 0, parentheses == 0 { return at }
            case newline where braces == 0 && parentheses == 0:
                if !signatureGoesOn(in: code, after: at) { return nil }
            default: break
            }
        }
        return nil
    }

    private static func signatureGoesOn(in code: [UInt8], after at: Int) -> Bool {
        let rest = code[at...].drop { $0 == newline || $0 == UInt8(ascii: " ") }
        let continuations = ["{", "->", "where ", "throws", "async", "rethrows", ">"]
        return continuations.contains { rest.starts(with: Array($0.utf8)) }
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
            true
        default: false
        }
    }

    private static let newline = UInt8(ascii: "\n")
}
