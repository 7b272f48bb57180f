import MigrationCore
import Testing

@testable import ManagementAPI

@Suite("A filter is read as its grammar says, and what is none is refused where it goes wrong")
struct FilterParserTests {
    private func field(_ text: String) -> FilterWord { FilterWord(text: text, column: 0) }

    private func one(
        _ name: String,
        _ comparator: FilterComparator,
        _ value: String
    ) -> FilterExpression {
        .comparison(
            FilterComparison(
                field: field(name),
                comparator: comparator,
                column: 0,
                value: field(value)
            )
        )
    }

    @Test("comparisons, with and without spaces and quotes")
    func comparisons() throws {
        for comparator in FilterComparator.allCases {
            let sign = comparator.rawValue
            for text in ["a.b\(sign)c", "  a.b \t\(sign)  c ", "\"a.b\"\(sign)\"c\""] {
                #expect(try FilterParser.parse(text) == one("a.b", comparator, "c"), "\(text)")
            }
        }
        #expect(
            try FilterParser.parse("at>2026-11-23T07:50:53.120+02:00")
                == one("at", .greater, "2026-11-23T07:50:53.120+02:00")
        )
        #expect(try FilterParser.parse(#"a="x \"y\" \\z""#) == one("a", .equal, #"x "y" \z"#))
        #expect(try FilterParser.parse(#"a="""#) == one("a", .equal, ""))
        // The first colon compares, the others are the value's.
        #expect(try FilterParser.parse("a:0000:41:00.3") == one("a", .contains, "0000:41:00.3"))
        #expect(try FilterParser.parse("a=not") == one("a", .equal, "not"))
        #expect(try FilterParser.parse("android") == .present(field("android")))
    }

    @Test("not binds before and, and before or")
    func precedence() throws {
        let (a, b, c) = (one("a", .equal, "1"), one("b", .equal, "2"), one("c", .equal, "3"))
        #expect(try FilterParser.parse("a=1 or b=2 and c=3") == .any([a, .all([b, c])]))
        #expect(try FilterParser.parse("a=1 and b=2 or c=3") == .any([.all([a, b]), c]))
        #expect(try FilterParser.parse("(a=1 or b=2)and(c=3)") == .all([.any([a, b]), c]))
        #expect(try FilterParser.parse("not a=1 and b=2") == .all([.not(a), b]))
        #expect(try FilterParser.parse("not(a=1 and b=2)") == .not(.all([a, b])))
        #expect(try FilterParser.parse("a=1 and b=2 and c=3") == .all([a, b, c]))
        #expect(try FilterParser.parse("not not a") == .not(.not(.present(field("a")))))
    }

    @Test(
        "what is no filter is refused at its column",
        arguments: [
            ("", 1, "a field, not or (", "the end"),
            ("   ", 4, "a field, not or (", "the end"),
            ("=1", 1, "a field, not or (", "="),
            ("a=", 3, "a value", "the end"),
            ("a=1 b=2", 5, "and, or or the end", "b"),
            ("a==1", 3, "a value", "="),
            ("a!1", 3, "= behind !", "1"),
            ("a=1 and", 8, "a field, not or (", "the end"),
            ("a=1 and or b=2", 9, "a field, not or (", "or"),
            ("not", 4, "a field, not or (", "the end"),
            ("(a=1", 5, "and, or or )", "the end"),
            ("(a=1 b", 6, "and, or or )", "b"),
            ("a=1)", 4, "and, or or the end", ")"),
            ("()", 2, "a field, not or (", ")"),
            (#"a="x"#, 5, "the closing \"", "the end"),
            (#"a="x\n""#, 6, "\" or \\ behind \\", "n"),
            (#"a="äö" ü"#, 8, "and, or or the end", "ü"),
            ("a=1 and \u{1}", 9, "a field, not or (", "a control"),
        ]
    )
    func faults(_ text: String, _ column: Int, _ expected: String, _ found: String) {
        let problem = #expect(throws: Problem.self) { try FilterParser.parse(text) }
        #expect(problem?.code == .badFilter)
        #expect(problem?.facts.column == column)
        #expect(problem?.detail == "Expected \(expected), found \(found).")
    }

    @Test("length, depth and number of comparisons end where they are said to")
    func bounds() throws {
        let longest = "a=" + String(repeating: "x", count: FilterParser.byteLimit - 2)
        _ = try FilterParser.parse(longest)
        var problem = #expect(throws: Problem.self) { try FilterParser.parse(longest + "x") }
        #expect(problem?.facts.column == FilterParser.byteLimit + 1)

        func nested(_ depth: Int) -> String {
            String(repeating: "not (", count: depth) + "a" + String(repeating: ")", count: depth)
        }
        _ = try FilterParser.parse(nested(FilterParser.levelLimit / 2))
        problem = #expect(throws: Problem.self) {
            try FilterParser.parse(nested(FilterParser.levelLimit / 2 + 1))
        }
        #expect(problem?.facts.column == 5 * FilterParser.levelLimit / 2 + 1)

        func chain(_ count: Int) -> String {
            Array(repeating: "a=1", count: count).joined(separator: " or ")
        }
        _ = try FilterParser.parse(chain(FilterParser.comparisonLimit))
        problem = #expect(throws: Problem.self) {
            try FilterParser.parse(chain(FilterParser.comparisonLimit + 1))
        }
        #expect(problem?.facts.column == 7 * FilterParser.comparisonLimit + 1)
    }

    @Test("what is printed is read as what was printed", arguments: 0..<500)
    func roundTrip(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let expression = made(depth: 3, &random)
        #expect(try FilterParser.parse("\(expression)") == expression, "\(expression)")
    }

    @Test("no text makes the parser trap, hang or go beyond its bounds", arguments: 0..<200)
    func anyText(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let parts = [
            "a", "labels.x", "and", "or", "not", "(", ")", "=", "!", "<", ">=", ":", "\"", "\\",
            " ", "ä", "\u{0}", "\u{301}", "12", "\t",
        ]
        for _ in 0..<50 {
            let count = Int.random(in: 0..<40, using: &random)
            let text = (0..<count).map { _ in parts.randomElement(using: &random) ?? "" }.joined()
            do throws(Problem) {
                let expression = try FilterParser.parse(text)
                let again = try FilterParser.parse("\(expression)")
                #expect(again == expression, "\(text)")
            } catch {
                let column = error.facts.column ?? 0
                #expect((1...text.unicodeScalars.count + 1).contains(column), "\(text)")
            }
        }
    }

    private func made(
        depth: Int,
        _ random: inout SeededGenerator
    ) -> FilterExpression {
        let parts = { (random: inout SeededGenerator) in
            (0..<Int.random(in: 2...3, using: &random)).map { _ in made(depth: depth - 1, &random) }
        }
        switch depth == 0 ? 3 : Int.random(in: 0..<5, using: &random) {
        case 0: return .all(parts(&random))
        case 1: return .any(parts(&random))
        case 2: return .not(made(depth: depth - 1, &random))
        case 3:
            let comparator = FilterComparator.allCases.randomElement(using: &random) ?? .equal
            return one(word(&random), comparator, word(&random))
        default: return .present(field(word(&random)))
        }
    }

    private func word(_ random: inout SeededGenerator) -> String {
        let characters = Array("abc.:/+-_ \"\\äand or()=<")
        let count = Int.random(in: 0...6, using: &random)
        return String((0..<count).map { _ in characters.randomElement(using: &random) ?? "a" })
    }
}

/// SplitMix64: the same numbers on every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
