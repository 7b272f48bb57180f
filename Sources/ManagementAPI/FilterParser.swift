internal import MigrationCore

/// Reads the text of a `filter=`.
///
///     filter     = all *("or" all)
///     all        = term *("and" term)
///     term       = "not" term / "(" filter ")" / field [comparator value]
///     comparator = "=" / "!=" / "<" / "<=" / ">" / ">=" / ":"
///     field      = 1*(letter / digit / "_" / "." / "/" / "+" / "-") / quoted
///     value      = 1*(letter / digit / "_" / "." / "/" / "+" / "-" / ":") / quoted
///     quoted     = DQUOTE *(character / "\" DQUOTE / "\\") DQUOTE
///
/// Spaces and tabs may stand between any two of these. Whoever sends such a text is a stranger, so
/// its length, its nesting and its comparisons are bounded, and the stack with them.
struct FilterParser {
    static let byteLimit = 1024
    /// Parentheses and `not`s within each other.
    static let levelLimit = 32
    static let comparisonLimit = 64

    private let bytes: [UInt8]
    private var position = 0
    private var comparisonCount = 0

    /// The expression of a text.
    ///
    /// Throws `bad-filter` with the column of what is wrong.
    static func parse(_ text: String) throws(Problem) -> FilterExpression {
        var parser = Self(bytes: Array(text.utf8))
        guard parser.bytes.count <= byteLimit else {
            throw .badFilter(
                at: parser.column(of: byteLimit),
                "A filter has at most \(byteLimit) bytes."
            )
        }
        let expression = try parser.filter(level: 0)
        guard parser.position == parser.bytes.count else {
            throw parser.surprise("and, or or the end")
        }
        return expression
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func filter(level: Int) throws(Problem) -> FilterExpression {
        let first = try all(level: level)
        var parts = [first]
        while take(.or) { parts.append(try all(level: level)) }
        return parts.count == 1 ? first : .any(parts)
    }

    private mutating func all(level: Int) throws(Problem) -> FilterExpression {
        let first = try term(level: level)
        var parts = [first]
        while take(.and) { parts.append(try term(level: level)) }
        return parts.count == 1 ? first : .all(parts)
    }

    private mutating func term(level: Int) throws(Problem) -> FilterExpression {
        skipSpace()
        let start = position
        if take(.not) {
            try require(level: level + 1, at: start)
            return .not(try term(level: level + 1))
        }
        guard take("(") else { return try comparison() }
        try require(level: level + 1, at: start)
        let inner = try filter(level: level + 1)
        guard take(")") else { throw surprise("and, or or )") }
        return inner
    }

    private mutating func comparison() throws(Problem) -> FilterExpression {
        skipSpace()
        guard bareKeyword == nil, let field = try word(\.isFilterFieldCharacter) else {
            throw surprise("a field, not or (")
        }
        comparisonCount += 1
        guard comparisonCount <= Self.comparisonLimit else {
            throw .badFilter(
                at: field.column,
                "A filter has at most \(Self.comparisonLimit) comparisons."
            )
        }
        skipSpace()
        let column = column(of: position)
        guard let comparator = try comparator() else { return .present(field) }
        skipSpace()
        guard let value = try word(\.isFilterValueCharacter) else { throw surprise("a value") }
        return .comparison(
            FilterComparison(field: field, comparator: comparator, column: column, value: value)
        )
    }

    private mutating func comparator() throws(Problem) -> FilterComparator? {
        switch peek {
        case UInt8(ascii: "="): return taken(.equal)
        case UInt8(ascii: ":"): return taken(.contains)
        case UInt8(ascii: "!"):
            guard follows("=") else {
                position += 1
                throw surprise("= behind !")
            }
            return taken(.notEqual)
        case UInt8(ascii: "<"): return taken(follows("=") ? .lessOrEqual : .less)
        case UInt8(ascii: ">"): return taken(follows("=") ? .greaterOrEqual : .greater)
        default: return nil
        }
    }

    private mutating func taken(_ comparator: FilterComparator) -> FilterComparator {
        position += comparator.rawValue.utf8.count
        return comparator
    }

    /// A word of these characters or a quoted one; nil when neither begins here.
    private mutating func word(
        _ isBare: (UInt8) -> Bool
    ) throws(Problem) -> FilterWord? {
        let start = position
        if peek == UInt8(ascii: "\"") {
            return FilterWord(text: try quoted(), column: column(of: start))
        }
        let bare = bytes[start...].prefix(while: isBare)
        guard !bare.isEmpty else { return nil }
        position = bare.endIndex
        return FilterWord(text: String(decoding: bare, as: UTF8.self), column: column(of: start))
    }

    private mutating func quoted() throws(Problem) -> String {
        var text: [UInt8] = []
        position += 1
        while let byte = peek, byte != UInt8(ascii: "\"") {
            if byte == UInt8(ascii: "\\") {
                guard follows("\"") || follows("\\") else {
                    position += 1
                    throw surprise("\" or \\ behind \\")
                }
                position += 1
            }
            text.append(bytes[position])
            position += 1
        }
        guard take("\"") else { throw surprise("the closing \"") }
        return String(decoding: text, as: UTF8.self)
    }

    private func require(level: Int, at offset: Int) throws(Problem) {
        guard level <= Self.levelLimit else {
            throw .badFilter(
                at: column(of: offset),
                "A filter is at most \(Self.levelLimit) levels deep."
            )
        }
    }

    // MARK: Characters

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func follows(_ character: Unicode.Scalar) -> Bool {
        position + 1 < bytes.count && bytes[position + 1] == UInt8(ascii: character)
    }

    private mutating func skipSpace() {
        while let byte = peek, byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
            position += 1
        }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard peek == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func take(_ keyword: FilterKeyword) -> Bool {
        skipSpace()
        guard bareKeyword == keyword else { return false }
        position += keyword.rawValue.utf8.count
        return true
    }

    /// The keyword that stands here, if one does.
    private var bareKeyword: FilterKeyword? {
        FilterKeyword(rawValue: String(decoding: bareWord, as: UTF8.self))
    }

    private var bareWord: ArraySlice<UInt8> {
        bytes[position...].prefix(while: \.isFilterFieldCharacter)
    }

    // MARK: What is wrong

    /// From 1; a character is counted by its first byte.
    private func column(of offset: Int) -> Int {
        1 + bytes[..<offset].count { $0 & 0xC0 != 0x80 }
    }

    /// Something else stands here than can.
    private func surprise(_ expected: String) -> Problem {
        .badFilter(at: column(of: position), "Expected \(expected), found \(found).")
    }

    private var found: String {
        guard position < bytes.count else { return "the end" }
        let word = bareWord.prefix(32)
        if !word.isEmpty { return String(decoding: word, as: UTF8.self) }
        let rest = String(decoding: bytes[position...], as: UTF8.self).unicodeScalars
        return rest.first.map { $0.properties.generalCategory == .control ? "a control" : "\($0)" }
            ?? "the end"
    }
}

extension Problem {
    /// What is wrong with a filter, and where.
    static func badFilter(at column: Int, _ detail: String) -> Self {
        var facts = Facts()
        facts.column = column
        return Self(.badFilter, detail, facts)
    }
}
