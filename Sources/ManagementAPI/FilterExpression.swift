/// What the text of a `filter=` says, before anybody knows which fields there are.
///
/// Two are equal when they say the same, wherever in their texts they say it.
indirect enum FilterExpression: Hashable, Sendable {
    /// Every one of them; at least two.
    case all([FilterExpression])
    /// Any one of them; at least two.
    case any([FilterExpression])
    case not(FilterExpression)
    /// A field alone.
    case present(FilterWord)
    case comparison(FilterComparison)
}

/// A field held against a value: `numa_node>=1`.
struct FilterComparison: Hashable, Sendable {
    let field: FilterWord
    let comparator: FilterComparator
    /// Where the comparator begins.
    let column: Int
    let value: FilterWord

    static func == (left: Self, right: Self) -> Bool {
        left.field == right.field && left.comparator == right.comparator
            && left.value == right.value
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(field)
        hasher.combine(comparator)
        hasher.combine(value)
    }
}

/// A name or a value, without its quotes.
struct FilterWord: Hashable, Sendable {
    let text: String
    /// Where it begins: from 1, in characters (Unicode scalars).
    let column: Int

    static func == (left: Self, right: Self) -> Bool { left.text == right.text }

    func hash(into hasher: inout Hasher) { hasher.combine(text) }
}

/// How a comparison compares.
enum FilterComparator: String, CaseIterable, Hashable, Sendable {
    case equal = "="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    /// A part of a text, a member of a set.
    case contains = ":"
}

extension FilterExpression: CustomStringConvertible {
    /// The expression in the grammar of `filter=`, with no more parentheses and quotes than needed.
    var description: String {
        switch self {
        case .all(let parts):
            parts.map { $0.isChain ? "(\($0))" : $0.description }.joined(separator: " and ")
        case .any(let parts):
            parts.map { part in
                if case .any = part { return "(\(part))" }
                return part.description
            }.joined(separator: " or ")
        case .not(let part): part.isChain ? "not (\(part))" : "not \(part)"
        case .present(let field): field.asField
        case .comparison(let one): one.field.asField + one.comparator.rawValue + one.value.asValue
        }
    }

    private var isChain: Bool {
        switch self {
        case .all, .any: true
        case .not, .present, .comparison: false
        }
    }
}

extension FilterWord {
    fileprivate var asField: String {
        let isBare = text.utf8.allSatisfy(\.isFilterFieldCharacter)
        return isBare && !text.isEmpty && FilterKeyword(rawValue: text) == nil ? text : quoted
    }

    fileprivate var asValue: String {
        !text.isEmpty && text.utf8.allSatisfy(\.isFilterValueCharacter) ? text : quoted
    }

    private var quoted: String {
        var quoted = "\""
        for character in text.unicodeScalars {
            if character == "\"" || character == "\\" { quoted += "\\" }
            quoted.unicodeScalars.append(character)
        }
        return quoted + "\""
    }
}

/// A word that is no field's name unless it is quoted.
enum FilterKeyword: String {
    case and
    case or
    case not
}

extension UInt8 {
    /// A character of a field's name that needs no quotes.
    var isFilterFieldCharacter: Bool {
        switch self {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "_./+-".utf8.contains(self)
        }
    }

    /// A character of a value that needs no quotes.
    var isFilterValueCharacter: Bool { isFilterFieldCharacter || self == UInt8(ascii: ":") }
}
