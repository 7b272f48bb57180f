internal import MigrationCore

/// An entity tag (RFC 9110): names one state of what a path and a query show.
struct EntityTag: Hashable, Sendable, CustomStringConvertible {
    /// Without its quotes.
    let opaque: String
    var isWeak = false

    /// As a header has it.
    var description: String { "\(isWeak ? "W/" : "")\"\(opaque)\"" }
}

extension EntityTag {
    /// The tag of a text.
    init(of text: [UInt8]) { self.init(TextDigest(of: text)) }

    init(_ digest: TextDigest) { self.init(opaque: String(digest.value, radix: 16)) }
}

/// 64 bits that stand for a text, as long as the daemon lives.
///
/// SipHash with a key of the process: nobody can make up two texts that have the same ones, and a
/// daemon that was started anew says the same with other bits.
struct TextDigest: Hashable, Sendable {
    let value: UInt64

    init(of text: [UInt8]) {
        var hasher = Hasher()
        unsafe text.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        self.value = UInt64(bitPattern: Int64(hasher.finalize()))
    }

    /// Of a page, without reading its items again.
    init(of items: [Self], nextCursor: String?) {
        var hasher = Hasher()
        for item in items { hasher.combine(item.value) }
        hasher.combine(nextCursor)
        self.value = UInt64(bitPattern: Int64(hasher.finalize()))
    }
}

/// What a client says it knows, in `If-Match` or `If-None-Match`.
enum EntityTagList: Hashable, Sendable {
    /// `*`: whatever there is.
    case any
    case tags([EntityTag])

    /// Nil when the text is no list of tags.
    init?(_ text: String) {
        var rest = Array(text.utf8)[...]
        rest.skipSpace()
        if rest.elementsEqual("*".utf8) {
            self = .any
            return
        }
        var tags: [EntityTag] = []
        while !rest.isEmpty {
            // The grammar of lists allows empty elements.
            if rest.first != UInt8(ascii: ",") {
                guard let tag = rest.takeTag() else { return nil }
                tags.append(tag)
                rest.skipSpace()
            }
            guard rest.isEmpty || rest.popFirst() == UInt8(ascii: ",") else { return nil }
            rest.skipSpace()
        }
        guard !tags.isEmpty else { return nil }
        self = .tags(tags)
    }

    /// Whether it names a state, however weakly: the comparison of `If-None-Match`.
    func names(_ tag: EntityTag) -> Bool {
        switch self {
        case .any: true
        case .tags(let tags): tags.contains { $0.opaque == tag.opaque }
        }
    }
}

extension APIRequest {
    /// The tags in a header, by its name in lower case; nil when it is not there.
    ///
    /// Throws `bad-request` when it holds something else.
    func tags(in name: String) throws(Problem) -> EntityTagList? {
        guard let first = header(name) else { return nil }
        let lines = headers.filter { $0.name == name }.map(\.value)
        guard let tags = EntityTagList(lines.count == 1 ? first : lines.joined(separator: ","))
        else {
            throw Problem(
                .badRequest,
                "The \(name == "if-match" ? "If-Match" : "If-None-Match") is no list of entity "
                    + "tags: each stands in double quotes."
            )
        }
        return tags
    }
}

extension ArraySlice<UInt8> {
    fileprivate mutating func skipSpace() {
        self = drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    }

    fileprivate mutating func takeTag() -> EntityTag? {
        let isWeak = starts(with: "W/".utf8)
        if isWeak { removeFirst(2) }
        guard popFirst() == UInt8(ascii: "\"") else { return nil }
        let opaque = prefix { $0 == 0x21 || $0 >= 0x23 && $0 != 0x7F }
        removeFirst(opaque.count)
        guard popFirst() == UInt8(ascii: "\"") else { return nil }
        return EntityTag(opaque: String(decoding: opaque, as: UTF8.self), isWeak: isWeak)
    }
}
