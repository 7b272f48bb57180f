import Testing

/// The value that `share` percent of the sample do not exceed; 0 for no sample.
func percentile(_ share: Int, of sample: [Int]) -> Int {
    guard !sample.isEmpty else { return 0 }
    let rank = (sample.count * share + 99) / 100
    return sample.sorted()[max(rank, 1) - 1]
}

/// The house rules, on the tree as it is.
@Suite("The tree keeps the house rules")
struct TidyTests {
    private let sources: [SwiftFile]
    private let tests: [SwiftFile]

    /// Read once: every test gets a suite of its own.
    private static let tree = Result {
        (
            sources: try SourceTree.swiftFiles(below: "Sources"),
            tests: try SourceTree.swiftFiles(below: "Tests")
        )
    }

    init() throws {
        (sources, tests) = try Self.tree.get()
        try #require(sources.count > 20, "the tree was not found")
    }

    private var all: [SwiftFile] { sources + tests }

    @Test("every import is one the table allows")
    func imports() {
        #expect(sources.flatMap(ImportTable.findings(in:)) == [])
    }

    @Test("ARCHITECTURE.md shows the same import table")
    func documentedImports() throws {
        let text = try SourceTree.text(of: "ARCHITECTURE.md")
        #expect(ImportTable.rows(ofDocument: text) == ImportTable.rows)
    }

    @Test("docs/configuration.md has every field of the configuration, and no other")
    func documentedConfiguration() throws {
        let source = try SourceTree.text(of: "Sources/ferryd/DaemonConfiguration.swift")
        let file = try #require(source.split(separator: "struct File: Decodable {").last)
        let fields = file.split(separator: "\n    }\n")[0].matches(of: /\n +var (\w+):/).map {
            String($0.1).replacing(/[A-Z]/) { "_" + $0.output.lowercased() }
        }
        #expect(fields.count > 20)
        let documented = try SourceTree.text(of: "docs/configuration.md")
            .matches(of: /\n\| `(\w+)` \|/).map { String($0.1) }
        #expect(documented.sorted() == fields.sorted())
    }

    @Test("every folder of sources or tests is a target of the package")
    func folders() throws {
        let package = try SourceTree.text(of: "Package.swift")
        let folders = try SourceTree.folders(in: "Sources") + Set(tests.map(\.target)).sorted()
        #expect(
            folders.filter { !package.contains("\"\($0)\"") && !package.contains("/\($0)\"") } == []
        )
    }

    @Test("no function is longer than 70 lines, and most are short")
    func functionLengths() {
        let found = sources.map { ($0.path, FunctionLengths.functions(in: $0.text)) }
        let long = found.flatMap { path, functions in
            functions.filter { $0.lineCount > 70 }.map {
                Finding(path: path, line: $0.line, what: "a function of \($0.lineCount) lines")
            }
        }
        #expect(long == [])
        let lengths = found.flatMap { $0.1.map(\.lineCount) }
        #expect(percentile(50, of: lengths) <= 10)
        #expect(percentile(90, of: lengths) <= 40)
    }

    @Test("no file is longer than 600 lines, and most are short")
    func fileLengths() {
        let long = all.filter { $0.text.lines.count > 600 }.map {
            Finding(path: $0.path, line: 600, what: "\($0.text.lines.count) lines")
        }
        #expect(long == [])
        let lengths = sources.map(\.text.lines.count)
        #expect(percentile(50, of: lengths) <= 150)
        #expect(percentile(90, of: lengths) <= 400)
    }

    @Test("no type, file or target is named for being a place to put things")
    func names() {
        #expect(all.flatMap(HouseRules.bannedNames(in:)) == [])
    }

    @Test("nothing traps on purpose, sleeps, or uses a queue that starves")
    func forbiddenCode() {
        #expect(all.flatMap(HouseRules.forbiddenCode(in:)) == [])
    }

    @Test("libraries print nothing")
    func printing() {
        let libraries = sources.filter { !$0.target.hasPrefix("ferry") }
        #expect(libraries.flatMap(HouseRules.printing(in:)) == [])
    }

    @Test("every lock and every unchecked promise says why it is right")
    func explanations() {
        #expect(sources.flatMap(HouseRules.unexplained(in:)) == [])
    }

    @Test("documents point only at files that are there")
    func documents() throws {
        let files = SourceTree.files()
        let findings = try files.filter { $0.hasSuffix(".md") }.flatMap {
            DocumentLinks.broken(in: try SourceTree.text(of: $0), at: $0, files: files)
        }
        #expect(findings == [])
    }

    @Test("no file promises later work or names a path of one machine")
    func text() throws {
        let files = SourceTree.files().filter { $0 != "LICENSE" }
        let findings = try files.flatMap {
            HouseRules.unwantedText(in: try SourceTree.text(of: $0), at: $0)
        }
        #expect(findings == [])
    }
}
