/// Servers by names, and the one that is meant when nothing says otherwise.
struct Contexts: Hashable, Sendable, Codable {
    static let countLimit = 1000

    var current: String?
    /// In the order of their names.
    private(set) var contexts: [Context] = []

    /// One server under a name of the user's.
    struct Context: Hashable, Sendable, Codable {
        let name: String
        /// As `--server` takes it.
        let server: String
    }

    subscript(name: String) -> Context? { contexts.first { $0.name == name } }

    /// Adds a server, or gives a name to another one.
    ///
    /// The first becomes the current one.
    mutating func set(_ context: Context) {
        contexts.removeAll { $0.name == context.name }
        contexts.append(context)
        contexts.sort { $0.name < $1.name }
        current = current ?? context.name
    }

    /// Forgets a name; false when there is none.
    mutating func remove(_ name: String) -> Bool {
        guard self[name] != nil else { return false }
        contexts.removeAll { $0.name == name }
        if current == name { current = nil }
        return true
    }

    /// Letters, digits, `.`, `_` and `-`, 1 to 64 of them.
    static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
