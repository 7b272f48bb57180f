import Testing

/// The checks themselves, on small bad samples: a check that cannot fail checks nothing.
@Suite("The tidy checks see what they look for")
struct CheckerTests {
    private func file(_ source: String, _ path: String = "Sources/JobEngine/Sample.swift")
        -> SwiftFile
    {
        SwiftFile(path: path, text: SwiftText(source))
    }

    @Test("comments and strings are blanked, interpolations stay code")
    func blanking() {
        let source = ###"""
            let a = "try! \(b("x") + c) try!" // try!
            /* outer /* inner */ still */ d
            let e = """
                fatalError() "quoted" \"""
                """
            let f = ##"raw \" \##(g) "# "## + h
            """###
        let code = SwiftText(source).code
        #expect(code.count == SwiftText(source).lines.count)
        #expect(code[0].contains("(b(\" \") + c)"))
        #expect(!code[0].contains("try!"))
        #expect(code[1].trimmed == "d")
        #expect(!code[3].contains("fatalError"))
        #expect(code[5].contains("(g)"))
        #expect(!code[5].contains("raw"))
        #expect(code[5].hasSuffix(" + h"))
    }

    @Test("every way to write an import is read")
    func imports() {
        #expect(ImportTable.importedModule("import GRDB") == "GRDB")
        #expect(ImportTable.importedModule("package import MigrationCore") == "MigrationCore")
        #expect(ImportTable.importedModule("@testable internal import JobEngine") == "JobEngine")
        #expect(ImportTable.importedModule("import struct Foundation.Date") == "Foundation")
        #expect(ImportTable.importedModule("let import = 3") == nil)
    }

    @Test("an import outside the table is found, one inside it is not")
    func importTable() {
        let bad = file("import Glibc\npackage import JobStore\n// import GRDB\n")
        #expect(ImportTable.findings(in: bad).map(\.line) == [2])
        let core = file("import Glibc\n", "Sources/MigrationCore/Sample.swift")
        #expect(ImportTable.findings(in: core).count == 1)
        let unknown = file("", "Sources/Elsewhere/Sample.swift")
        #expect(ImportTable.findings(in: unknown).count == 1)
        let good = file("internal import Dispatch\npackage import MigrationPorts\n")
        #expect(ImportTable.findings(in: good).isEmpty)
    }

    @Test("the document's table is read as it is written")
    func documentTable() {
        let text =
            "| target | x | y |\n|---|---|---|\n| `A` | does a | `B`, `C` |\n| `B` | b | nothing |"
        #expect(ImportTable.rows(ofDocument: text) == ["A": ["B", "C"], "B": []])
    }

    @Test("a function is measured from its keyword to its closing brace")
    func functionLengths() {
        let source = """
            protocol P {
                func none() -> Int
                init(x: Int)
            }
            struct S: P {
                init(
                    x: Int = [1].map { $0 + 1 }[0]
                ) { self.init() }
                func long()
                    throws -> Int
                {
                    let text = "}"
                    if true { return 1 }
                    return 2
                }
                deinit {}
            }
            """
        let found = FunctionLengths.functions(in: SwiftText(source))
        #expect(found.map(\.line) == [6, 9, 16])
        #expect(found.map(\.lineCount) == [3, 7, 1])
    }

    @Test("banned words are found as words of a name, not as letters")
    func bannedNames() {
        let source = "struct FDManager {}\nenum Commonality {}\nlet x = FileManager()\n"
        #expect(HouseRules.bannedNames(in: file(source)).map(\.line) == [1])
        let helper = file("", "Sources/JobEngine/JobHelper+Start.swift")
        #expect(HouseRules.bannedNames(in: helper).count == 1)
        #expect(HouseRules.camelCaseWords(of: "HTTPUtilXML+a") == ["HTTP", "Util", "XML", "a"])
    }

    @Test("every forbidden piece of code is found, and only in code")
    func forbiddenCode() {
        for (code, _) in HouseRules.forbiddenCode {
            #expect(HouseRules.forbiddenCode(in: file("    " + code)).count == 1)
            #expect(HouseRules.forbiddenCode(in: file("// \(code)\nlet a = \"\(code)\"")).isEmpty)
        }
    }

    @Test("a print is found, a name that ends like it is not")
    func printing() {
        #expect(HouseRules.printing(in: file("if x { print(\"a\") }\nfingerprint(a)")).count == 1)
    }

    @Test("a lock or an unchecked promise without a comment is found")
    func unexplained() {
        let source = """
            /// Guards the table.
            private let a = Mutex(0)
            private let b: Mutex<Int>
            package let c = Mutex<[Int]>([])
            let d = Mutex(1)  // Guards d.

            // One owner at a time.
            @safe
            final class E: @unchecked Sendable {}
            final class F: @unchecked Sendable {}
            func use(_ mutex: borrowing Mutex<Int>) {}
            """
        #expect(HouseRules.unexplained(in: file(source)).map(\.line) == [3, 4, 10])
    }

    @Test("promises and machine paths are found in any text")
    func unwantedText() {
        for word in HouseRules.promises + HouseRules.machinePaths {
            // A checkout may lie below one of the other paths, and is found twice then.
            let lines = HouseRules.unwantedText(in: "a\n# \(word): b", at: "x").map(\.line)
            #expect(Set(lines) == [2])
        }
        #expect(HouseRules.unwantedText(in: "METHODOLOGY network/s", at: "x").isEmpty)
    }

    @Test("a link or a file that is not there is found, one that is there is not")
    func documentLinks() {
        let files = ["README.md", "docs/a.md", "Sources/A/B.swift", "openapi/x.yaml"]
        let good = "[r](../README.md) [d](../docs) [w](https://w) `A/B.swift` `B.swift` `a b.swift`"
        #expect(DocumentLinks.broken(in: good, at: "docs/a.md", files: files).isEmpty)
        let bad = "[r](README.md)\n`A/C.swift`\n`C.swift` and `openapi/y.yaml`"
        let found = DocumentLinks.broken(in: bad, at: "docs/a.md", files: files)
        #expect(found.map(\.line) == [1, 2, 3, 3])
    }

    @Test("a share of a sample is the value that so many stay below")
    func percentiles() {
        #expect(percentile(50, of: [3, 1, 2]) == 2)
        #expect(percentile(90, of: Array(1...10)) == 9)
        #expect(percentile(90, of: []) == 0)
    }
}

extension String {
    fileprivate var trimmed: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
