internal import Synchronization

/// How properties are named in documents: `stopCopyBytes` is `stop_copy_bytes`, `jobID` is
/// `job_id`, `deviceIDs` is `device_ids`, `runningP2P` is `running_p2p`.
enum FieldName {
    /// The name in a document of a key of the code.
    ///
    /// A key that holds `_` or no upper case letter
    /// stays as it is.
    static func ofProperty(_ key: String) -> String {
        let bytes = Array(key.utf8)
        guard bytes.contains(where: isUpper), !bytes.contains(UInt8(ascii: "_")) else { return key }
        var name: [UInt8] = []
        name.reserveCapacity(bytes.count + 4)
        for index in bytes.indices {
            if index > 0, startsWord(bytes, at: index) { name.append(UInt8(ascii: "_")) }
            name.append(isUpper(bytes[index]) ? bytes[index] + 32 : bytes[index])
        }
        return String(decoding: name, as: UTF8.self)
    }

    /// The same, remembered: for the properties of the program's own types, which are finite.
    static func ofOwnProperty(_ key: String) -> String {
        if let name = names.withLock({ $0[key] }) { return name }
        let name = ofProperty(key)
        names.withLock { $0[key] = name }
        return name
    }

    /// Guards the names of properties that were written or read so far.
    ///
    /// A leaf. Bounded by the program's text: keys that are data are never converted.
    private static let names = Mutex<[String: String]>([:])

    /// The key of a closed set that a name in a document stands for.
    ///
    /// `CodingKey` cannot list its cases, so the spellings whose name it would be are tried:
    /// every word capitalised, or up to two of them an acronym.
    static func key<Key: CodingKey>(_ type: Key.Type, named name: String) -> Key? {
        if let key = Key(stringValue: name), ofProperty(name) == name { return key }
        let words = name.split(separator: "_", omittingEmptySubsequences: false).map(String.init)
        guard words.count <= wordLimit else { return nil }
        let plain = words.enumerated().map { $0.offset == 0 ? $0.element : capitalized($0.element) }
        if let key = match(type, plain, name) { return key }
        for first in words.indices.dropFirst() {
            for spelling in acronyms(words[first]) {
                var once = plain
                once[first] = spelling
                if let key = match(type, once, name) { return key }
                for second in words.indices.dropFirst(first + 1) {
                    for spelling in acronyms(words[second]) {
                        var twice = once
                        twice[second] = spelling
                        if let key = match(type, twice, name) { return key }
                    }
                }
            }
        }
        return nil
    }

    /// Whether a key type takes any name, as a dictionary's does: such names are data and are
    /// never converted.
    static func isOpen<Key: CodingKey>(_ type: Key.Type) -> Bool {
        let id = ObjectIdentifier(type)
        if let known = openness.withLock({ $0[id] }) { return known }
        let isOpen = Key(stringValue: "no property / is called ~ so") != nil
        openness.withLock { $0[id] = isOpen }
        return isOpen
    }

    /// Guards which of the program's key types are open.
    ///
    /// A leaf.
    private static let openness = Mutex<[ObjectIdentifier: Bool]>([:])

    /// Bounds the spellings tried for a stranger's name (some 400).
    private static let wordLimit = 16

    private static func match<Key: CodingKey>(_: Key.Type, _ words: [String], _ name: String)
        -> Key?
    {
        let spelling = words.joined()
        guard let key = Key(stringValue: spelling), ofProperty(spelling) == name else { return nil }
        return key
    }

    private static func capitalized(_ word: String) -> String {
        word.prefix(1).uppercased() + word.dropFirst()
    }

    private static func acronyms(_ word: String) -> [String] {
        let upper = word.uppercased()
        return word.hasSuffix("s") ? [upper, word.dropLast().uppercased() + "s"] : [upper]
    }

    /// Whether a word starts here: at an upper case letter after a lower case word, or at the
    /// last one of an upper case run when a lower case letter follows it.
    private static func startsWord(_ bytes: [UInt8], at index: Int) -> Bool {
        guard isUpper(bytes[index]) else { return false }
        // Digits belong to the word before them.
        guard let letter = bytes[..<index].last(where: { !isDigit($0) }) else { return false }
        if !isUpper(letter) { return true }
        guard index + 1 < bytes.count, isLower(bytes[index + 1]) else { return false }
        // The plural of an acronym: the s of `IDs` does not start a word with its D.
        let isPlural =
            bytes[index + 1] == UInt8(ascii: "s")
            && (index + 2 == bytes.count || isUpper(bytes[index + 2]))
        return !isPlural
    }

    private static func isUpper(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte) }

    private static func isLower(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
