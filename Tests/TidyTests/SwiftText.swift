/// Swift source next to the same source with all that is no code blanked out.
///
/// Checks look at `code`, so that a word in a comment or in a string literal is never taken for
/// what it names. Both have the same lines; blanked bytes became spaces.
struct SwiftText {
    let lines: [String]
    let code: [String]

    init(_ source: String) {
        var blanker = Blanker(Array(source.utf8))
        blanker.blankCode(untilClosingParenthesis: false)
        self.lines = Self.split(source)
        self.code = Self.split(String(decoding: blanker.bytes, as: UTF8.self))
    }

    private static func split(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }
}

/// Walks over Swift source and blanks comments and the text of string literals.
///
/// It knows line and nested block comments, plain, raw and multi-line strings, and
/// interpolations, which are code again. It does not know regex literals: a quote in one throws
/// it off until the end of that line.
private struct Blanker {
    private(set) var bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func blankCode(untilClosingParenthesis: Bool) {
        var depth = 0
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "/") where starts(with: "//"): blankToEndOfLine()
            case UInt8(ascii: "/") where starts(with: "/*"): blankBlockComment()
            case UInt8(ascii: "#"), UInt8(ascii: "\""):
                if let hashes = hashesOfString() {
                    at += hashes
                    blankString(hashes: hashes)
                } else {
                    at += 1
                }
            case UInt8(ascii: "("):
                depth += 1
                at += 1
            case UInt8(ascii: ")"):
                depth -= 1
                if untilClosingParenthesis, depth < 0 { return }
                at += 1
            default: at += 1
            }
        }
    }

    private func starts(with text: String) -> Bool { bytes[at...].starts(with: text.utf8) }

    /// The number of `#` before a string literal that begins here; nil when none begins.
    private func hashesOfString() -> Int? {
        let rest = bytes[at...]
        let hashes = rest.prefix { $0 == UInt8(ascii: "#") }.count
        guard rest.dropFirst(hashes).first == UInt8(ascii: "\"") else { return nil }
        return hashes
    }

    private mutating func blank(_ count: Int) {
        for index in at..<min(at + count, bytes.count) where bytes[index] != UInt8(ascii: "\n") {
            bytes[index] = UInt8(ascii: " ")
        }
        at += count
    }

    private mutating func blankToEndOfLine() {
        while at < bytes.count, bytes[at] != UInt8(ascii: "\n") { blank(1) }
    }

    private mutating func blankBlockComment() {
        var depth = 0
        repeat {
            if starts(with: "/*") {
                depth += 1
                blank(2)
            } else if starts(with: "*/") {
                depth -= 1
                blank(2)
            } else {
                blank(1)
            }
        } while depth > 0 && at < bytes.count
    }

    /// Blanks a literal from its opening quote on; the quotes stay.
    private mutating func blankString(hashes: Int) {
        let isMultiline = starts(with: "\"\"\"")
        let quote = String(repeating: "\"", count: isMultiline ? 3 : 1)
        let suffix = String(repeating: "#", count: hashes)
        let escape = "\\" + suffix
        at += quote.utf8.count
        let end = quote + suffix
        while at < bytes.count {
            // What neither ends nor escapes is text; looked at first because it is the most.
            if ![UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "\n")].contains(bytes[at]) {
                blank(1)
                continue
            }
            if starts(with: end) {
                at += quote.utf8.count + hashes
                return
            }
            // A literal on one line ends there whatever we took it for.
            if !isMultiline, bytes[at] == UInt8(ascii: "\n") { return }
            if starts(with: escape + "(") {
                blank(escape.utf8.count)
                at += 1
                blankCode(untilClosingParenthesis: true)
                at += 1
            } else if starts(with: escape) {
                blank(escape.utf8.count + 1)
            } else {
                blank(1)
            }
        }
    }
}
