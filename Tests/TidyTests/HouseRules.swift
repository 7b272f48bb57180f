import Glibc

extension String {
    /// Whether the other is part of it: by the C library, as the tree is large and the build debug.
    func has(_ other: String) -> Bool { unsafe strstr(self, other) != nil }
}

/// Rules of CONTRIBUTING.md that the formatter cannot check.
enum HouseRules {
    /// Words that name a place to put things instead of a thing.
    static let bannedWords: Set<String> = [
        "Manager", "Helper", "Helpers", "Util", "Utils", "Utility", "Utilities", "Common", "Misc",
    ]

    static func bannedNames(in file: SwiftFile) -> [Finding] {
        var names = [(line: 1, name: file.baseName), (line: 1, name: file.target)]
        let kinds: Set<Substring> = ["struct", "class", "enum", "actor", "protocol", "typealias"]
        for (index, line) in file.text.code.enumerated() {
            let words = line.split { !($0.isLetter || $0.isNumber || $0 == "_") }
            for (kind, name) in zip(words, words.dropFirst()) where kinds.contains(kind) {
                names.append((line: index + 1, name: String(name)))
            }
        }
        return names.compactMap { line, name in
            let banned = camelCaseWords(of: name).first(where: bannedWords.contains)
            return banned.map { Finding(path: file.path, line: line, what: "\(name) says \($0)") }
        }
    }

    /// `JobEngine+HTTPHelper` → `Job`, `Engine`, `HTTP`, `Helper`.
    static func camelCaseWords(of name: String) -> [String] {
        var words: [String] = []
        let letters = Array(name)
        for (index, letter) in letters.enumerated() {
            guard letter.isLetter || letter.isNumber else {
                words.append("")
                continue
            }
            let next = letters.indices.contains(index + 1) ? letters[index + 1] : nil
            let followsLower = index > 0 && !letters[index - 1].isUppercase
            let begins = letter.isUppercase && (followsLower || next?.isLowercase == true)
            if begins || words.isEmpty { words.append("") }
            words[words.count - 1].append(letter)
        }
        return words.filter { !$0.isEmpty }
    }

    /// Code that is allowed nowhere, with the reason a reader gets.
    static let forbiddenCode = [
        (code: "try!", why: "a failed call must be a problem, not a trap"),
        (code: "fatalError(", why: "hostile input must not end the daemon"),
        (code: "@_exported", why: "an import must be visible where it is used"),
        (code: "import XCTest", why: "tests use Swift Testing; `make test` runs no other"),
        (code: "DispatchQueue.global(", why: "blocking work starves the shared queues"),
        (code: "attributes: .concurrent", why: "blocking work starves concurrent queues"),
        (code: "Thread.sleep", why: "await the event"),
        (code: "Task.sleep", why: "await the event"),
    ]

    static func forbiddenCode(in file: SwiftFile) -> [Finding] {
        file.text.code.enumerated().flatMap { index, line in
            forbiddenCode.filter { line.has($0.code) }.map {
                Finding(path: file.path, line: index + 1, what: "\($0.code): \($0.why)")
            }
        }
    }

    /// Libraries do not write to the standard streams.
    static func printing(in file: SwiftFile) -> [Finding] {
        file.text.code.enumerated().compactMap { index, line in
            guard line.has("print(") else { return nil }
            let words = line.split { $0 == " " || $0 == "{" || $0 == ";" }
            guard words.contains(where: { $0.hasPrefix("print(") }) else { return nil }
            return Finding(path: file.path, line: index + 1, what: "a library prints")
        }
    }

    /// Things that need their reason beside them: a comment directly above, or on the same line.
    static func unexplained(in file: SwiftFile) -> [Finding] {
        file.text.code.enumerated().compactMap { index, line in
            guard let what = thingToExplain(line), !isExplained(index, in: file.text) else {
                return nil
            }
            return Finding(path: file.path, line: index + 1, what: "\(what) has no comment above")
        }
    }

    private static func thingToExplain(_ line: String) -> String? {
        for word in ["@unchecked Sendable", "nonisolated(unsafe)"] where line.has(word) {
            return word
        }
        guard line.has("Mutex") else { return nil }
        let words = line.split { " :=(<".contains($0) }
        // A stored property: `let state = Mutex(…)`, `let state: Mutex<State>`.
        if let at = words.firstIndex(where: { $0 == "let" || $0 == "var" }),
            words.count > at + 2, words[at + 2] == "Mutex"
        {
            return "a Mutex"
        }
        return nil
    }

    private static func isExplained(_ index: Int, in text: SwiftText) -> Bool {
        // Blanking takes comments away and leaves the length, so more text means a comment.
        if text.lines[index].contains("//"), !text.code[index].contains("//") { return true }
        let above = text.lines[..<index].reversed().map { $0.drop { $0 == " " } }
        return above.first { !$0.hasPrefix("@") }?.hasPrefix("//") == true
    }

    /// Words that promise work instead of doing it.
    ///
    /// Written so that this file does not say them.
    static let promises = ["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]

    /// Paths of one machine, which mean nothing on another: people's folders, this checkout.
    static let machinePaths = ["/ho" + "me/", "/ro" + "ot/", "/Us" + "ers/", SourceTree.root]

    static func unwantedText(in text: String, at path: String) -> [Finding] {
        guard (promises + machinePaths).contains(where: text.has) else { return [] }
        return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().flatMap {
            (index, line) in
            let words = Set(line.split { !$0.isLetter }.map(String.init))
            return promises.filter(words.contains).map {
                Finding(path: path, line: index + 1, what: "says \($0)")
            }
                + machinePaths.filter(line.contains).map {
                    Finding(path: path, line: index + 1, what: "names \($0)")
                }
        }
    }
}
