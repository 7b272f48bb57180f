/// ferryctl's own words for fields of the API that problems name.
enum FlagNames {
    private static let flags: [String: String] = [
        "accept_copy": "--accept-copy",
        "discard_target_content": "--discard-target-content",
        "discard_content": "--discard-content",
        "no_p2p_mappings": "--no-p2p-mappings",
        "target_fenced": "--target-fenced",
        "bandwidth_bytes_per_second": "--bandwidth",
        "downtime_ms": "--downtime",
        "completion_timeout_s": "--timeout",
        "progress_timeout_s": "--progress-timeout",
        "on_timeout": "--on-timeout",
    ]

    /// Fields whose names are words of the language too, so that they are replaced in pointers only.
    private static let pointedFlags: [String: String] = [
        "id": "--id", "after": "--after", "labels": "--label", "mode": "--manual",
        "joins": "--join", "filter": "--filter", "sort": "--sort", "limit": "--limit",
    ]

    /// Every flag that is told of.
    static var all: [String] { (Array(flags.values) + Array(pointedFlags.values)).sorted() }

    /// A sentence of the server's with the flags a user of ferryctl would give.
    static func spoken(_ text: String) -> String {
        var spoken = ""
        var rest = text[...]
        while !rest.isEmpty {
            let word = rest.prefix(while: isNamePart)
            spoken += flags[String(word)] ?? String(word)
            rest = rest[word.endIndex...]
            let between = rest.prefix { !isNamePart($0) }
            spoken += between
            rest = rest[between.endIndex...]
        }
        return spoken
    }

    /// A JSON pointer, with the flag that sets what it points to.
    static func field(_ pointer: String) -> String {
        guard !pointer.isEmpty else { return "the whole body" }
        let words = pointer.split(separator: "/").map(String.init)
        let flag = words.reversed().lazy.compactMap { flags[$0] ?? pointedFlags[$0] }.first
        return flag.map { "\(pointer) (\($0))" } ?? pointer
    }

    private static func isNamePart(_ character: Character) -> Bool {
        character == "_" || character.isLetter || character.isNumber
    }
}
