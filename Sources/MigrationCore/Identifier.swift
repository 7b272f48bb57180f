/// A stable name of one kind of thing: letters, digits, `.`, `_`, `:` and `-`, 1 to 128 of them.
///
/// So every identifier is safe in a URL segment, a file name and a log line.
package struct Identifier<Kind>: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    /// Nil when the text is not a name.
    package init?(_ text: String) {
        guard IdentifierText.isPlain(text), text != ".", text != ".." else { return nil }
        self.text = text
    }

    /// The name of another kind of thing, for what is named after it.
    package init<Other>(_ other: Identifier<Other>) { self.text = other.text }

    package var description: String { text }
}

/// What identifiers are made of, and other text that has to be as harmless.
package enum IdentifierText {
    /// Whether it is 1 to 128 letters, digits, `.`, `_`, `:` and `-`.
    package static func isPlain(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.utf8.allSatisfy(isPlain)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: ":"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

extension Identifier: Comparable {
    package static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

extension Identifier: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let identifier = Self(text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "not an identifier"
            )
        }
        self = identifier
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

/// The phantom types that keep one kind of identifier from being taken for another.
package enum IdentifierKind {
    package enum Device: Sendable {}
    package enum Session: Sendable {}
    package enum Job: Sendable {}
    package enum Image: Sendable {}
    package enum Audit: Sendable {}
}

/// `pci-0000:41:00.3`, `mdev-<uuid>`, `ccw-0.0.1234`, `vfiouser-net0`, `sim-0`; never vfioN, which is reused.
package typealias DeviceID = Identifier<IdentifierKind.Device>
package typealias SessionID = Identifier<IdentifierKind.Session>
package typealias JobID = Identifier<IdentifierKind.Job>
package typealias ImageID = Identifier<IdentifierKind.Image>
package typealias AuditID = Identifier<IdentifierKind.Audit>
