/// What a document points at: links, and files it names in code style.
enum DocumentLinks {
    /// The things a document points at that are not there.
    ///
    /// A link is relative to the document. A file in code style is a path from the top or below
    /// `Sources`, or only a name.
    static func broken(in text: String, at path: String, files: [String]) -> [Finding] {
        let known = Set(files)
        let names = Set(files.compactMap { $0.split(separator: "/").last })
        let folder = path.split(separator: "/").dropLast()
        return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().flatMap {
            (index, line) in
            let badLinks = links(in: line).filter { !isThere(resolve($0, in: folder), known) }
            let badFiles = codeFiles(in: line).filter {
                $0.contains("/")
                    ? !known.contains($0) && !known.contains("Sources/" + $0)
                    : !names.contains(Substring($0))
            }
            return (badLinks + badFiles).map {
                Finding(path: path, line: index + 1, what: "there is no \($0)")
            }
        }
    }

    private static func isThere(_ path: String, _ known: Set<String>) -> Bool {
        known.contains(path) || known.contains { $0.hasPrefix(path + "/") }
    }

    /// The targets of `[text](target)` that lie in this repository.
    private static func links(in line: Substring) -> [String] {
        line.split(separator: "](").dropFirst().compactMap { rest in
            let target = rest.prefix { $0 != ")" && $0 != "#" }
            return target.isEmpty || target.contains(":") ? nil : String(target)
        }
    }

    /// Names of source files between backticks.
    private static func codeFiles(in line: Substring) -> [String] {
        line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { index, word in
                index % 2 == 1 && !word.contains(" ") && !word.contains("*")
                    && [".swift", ".h", ".yaml"].contains(where: word.hasSuffix)
            }
            .map { String($0.element) }
    }

    private static func resolve(_ link: String, in folder: ArraySlice<Substring>) -> String {
        var parts = Array(folder)
        for part in link.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }
}
