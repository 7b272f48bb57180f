import Testing

@testable import ferryctl

@Suite("Every problem is explained, in the words of its page")
struct ExplanationTests {
    private static let directory: String = {
        let file = #filePath.split(separator: "/").dropLast(3)
        return "/" + file.joined(separator: "/") + "/docs/problems"
    }()

    private static let codes = TemporaryDirectory.names(in: directory)
        .filter { $0.hasSuffix(".md") && $0 != "README.md" }.map { String($0.dropLast(3)) }

    private func words(_ text: String) -> [Substring] { text.split { $0.isWhitespace } }

    @Test("there is one for each page and none without", .enabled(if: !codes.isEmpty))
    func complete() {
        #expect(Explanation.all.map(\.code) == Self.codes, "run deploy/explanations")
    }

    @Test("each says what its page says", .enabled(if: !codes.isEmpty), arguments: codes)
    func words(ofPage code: String) throws {
        let page = try #require(TemporaryDirectory.text(at: "\(Self.directory)/\(code).md"))
        let explanation = try #require(Explanation.of(code))
        let rows = ["| status | \(explanation.status) |", "| title | \(explanation.title) |"]
        for row in rows { #expect(page.contains(row), "run deploy/explanations") }
        // Links are left out of an explanation, so pages with one are compared by their table.
        guard !page.contains("](") else { return }
        let prose = [
            "**Meaning.** " + explanation.meaning, "**When.** " + explanation.when,
            "**What to do.** " + explanation.remedy,
        ]
        let written = words(page).joined(separator: " ")
        for paragraph in prose {
            #expect(written.contains(paragraph), "run deploy/explanations")
        }
    }

    @Test("a code is found by its name and by its URN, and no other is")
    func lookup() {
        #expect(Explanation.of("device-busy")?.status == 409)
        #expect(Explanation.of("urn:ferry:problem:device-busy")?.code == "device-busy")
        #expect(Explanation.of("urn:ferry:problem:") == nil)
    }

    @Test("it names ferryctl's own flags, in lines that fit")
    func text() throws {
        let text = try #require(Explanation.of("copy-not-accepted")).text(width: 40)
        #expect(text.contains("--accept-copy"))
        #expect(!text.contains("accept_copy"))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 40 })
        #expect(Explanation.wrapped("averyverylongword b", 5) == "averyverylongword\nb")
    }
}
