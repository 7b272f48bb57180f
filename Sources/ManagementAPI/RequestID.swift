internal import MigrationCore
internal import Synchronization

/// What a request is called: in its answer, in its problem and in the log.
enum RequestID {
    /// The name of a request's header, in lower case.
    static let header = "x-request-id"

    /// What the client calls the request, where that is fit to be repeated: 1 to 128 of
    /// `[A-Za-z0-9._:-]`.
    static func said(_ value: String?) -> String? {
        guard let value, IdentifierText.isPlain(value) else { return nil }
        return value
    }

    /// A name for a request whose client gave it none: not given twice by one daemon, nor, but by
    /// a chance of one in four thousand million, by two.
    static func next() -> String {
        "\(daemon)-\(count.wrappingAdd(1, ordering: .relaxed).newValue)"
    }

    private static let count = Atomic<UInt64>(0)
    private static let daemon: String = {
        let digits = String(UInt32.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }()
}
