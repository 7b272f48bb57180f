import APISchema
import Foundation
import JSONCoding
import MigrationCore
import Testing

@testable import ManagementAPI

@Suite("docs/problems has a page for every code of a problem")
struct ProblemPageTests {
    private static let folder = ContractText.folder.deletingLastPathComponent()
        .appendingPathComponent("docs/problems")

    private func text(of name: String) throws -> String {
        try String(contentsOf: Self.folder.appendingPathComponent(name), encoding: .utf8)
    }

    @Test("no page is missing, and none is left over")
    func pages() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        let codes = Problem.Code.allCases.map { "\($0.rawValue).md" }
        #expect(Set(names) == Set(codes + ["README.md"]))
    }

    @Test("a page has the status, the title and the type", arguments: Problem.Code.allCases)
    func facts(_ code: Problem.Code) throws {
        let lines = try text(of: "\(code.rawValue).md").split(separator: "\n")
        #expect(lines.first == "# \(code.rawValue)")
        #expect(lines.contains("| status | \(code.httpStatus) |"))
        #expect(lines.contains("| title | \(code.title) |"))
        #expect(lines.contains("| type | `urn:ferry:problem:\(code.rawValue)` |"))
        for heading in ["| a retry helps | ", "**Meaning.** ", "**When.** ", "**What to do.** "] {
            #expect(lines.count { $0.hasPrefix(heading) } == 1, "\(heading)")
        }
    }

    @Test("its example is such a problem", arguments: Problem.Code.allCases)
    func example(_ code: Problem.Code) throws {
        let lines = try text(of: "\(code.rawValue).md").split(separator: "\n")
        let example = lines.filter { $0.hasPrefix("    ") }.joined()
        let problem = try JSONReader.decode(
            ProblemDTO.self,
            from: Array(example.utf8),
            unknownFields: .refuse
        )
        #expect(problem.code == code.rawValue)
        #expect(problem.type == "urn:ferry:problem:\(code.rawValue)")
        #expect(problem.status == code.httpStatus)
        #expect(problem.title == code.title)
        #expect(problem.detail.hasSuffix("."))
        if code.defaultRetryAfterSeconds != nil { #expect(problem.retryAfterS != nil) }
    }

    @Test("the index names every one of them in the order of the code, with status and title")
    func index() throws {
        let rows = try text(of: "README.md").split(separator: "\n").filter { $0.hasPrefix("| [") }
        let expected = Problem.Code.allCases.map {
            "| [\($0.rawValue)](\($0.rawValue).md) | \($0.httpStatus) | \($0.title) |"
        }
        #expect(rows.map(String.init) == expected)
    }
}
