/// The id of an event, which is a cursor too: `<store>-<sequence>`.
struct EventID: Hashable, Sendable {
    let store: String
    let sequence: Int64

    init(_ sequence: Int64, of store: String) {
        self.store = store
        self.sequence = sequence
    }

    /// Nil when the text is none that was ever given.
    init?(_ text: String) {
        guard text.utf8.count <= 64, let dash = text.lastIndex(of: "-") else { return nil }
        let digits = text[text.index(after: dash)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let sequence = Int64(digits)
        else { return nil }
        self.init(sequence, of: String(text[..<dash]))
    }

    var text: String { "\(store)-\(sequence)" }
}
