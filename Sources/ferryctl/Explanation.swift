/// What a code of a problem means and what to do about it: a page of docs/problems.
struct Explanation: Hashable, Sendable {
    let code: String
    let status: Int
    let title: String
    /// Whether the same request may succeed later.
    let retry: String
    let meaning: String
    let when: String
    let remedy: String

    /// The page of a code, which may be given as the `type` of a problem.
    static func of(_ name: String) -> Explanation? {
        let prefix = "urn:ferry:problem:"
        let code = name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
        return all.first { $0.code == code }
    }

    /// The page for a terminal of this width.
    func text(width: Int) -> String {
        var facts = FactList()
        facts.add("code", "\(code) (\(status))")
        facts.add("a retry helps", retry)
        let paragraphs = [title + ".", meaning, when, FlagNames.spoken(remedy)]
        return facts.text() + paragraphs.map { "\n" + Self.wrapped($0, width) + "\n" }.joined()
    }

    /// Lines that break between words.
    static func wrapped(_ text: String, _ width: Int) -> String {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += line.isEmpty ? String(word) : " " + word
        }
        return (lines + [line]).joined(separator: "\n")
    }
}
