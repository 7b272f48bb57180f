internal import APISchema
internal import ArgumentParser

/// Sources and targets on a command line.
enum DevicePair {
    /// `a b` for one pair, or `a=c b=d` for any number.
    static func all(in words: [String]) throws -> [JobRequestDeviceDTO] {
        if words.count == 2, !words.contains(where: { $0.contains("=") }) {
            return [JobRequestDeviceDTO(source: words[0], target: words[1])]
        }
        return try words.map { word in
            guard let pair = pair(word) else {
                throw ValidationError(
                    "'\(word)' is no pair: give SOURCE TARGET, or SOURCE=TARGET for each device."
                )
            }
            return pair
        }
    }

    /// `b` for a target alone, or `a=b` for what goes there.
    static func targets(in words: [String]) -> [JobRequestDeviceDTO] {
        words.map { pair($0) ?? JobRequestDeviceDTO(target: $0) }
    }

    private static func pair(_ word: String) -> JobRequestDeviceDTO? {
        guard let equals = word.firstIndex(of: "=") else { return nil }
        return JobRequestDeviceDTO(
            source: String(word[..<equals]),
            target: String(word[word.index(after: equals)...])
        )
    }
}
