/// What the user of a device keeps of it beside the state its driver gives: configuration space,
/// the layout of its interrupts and of its DMA mappings.
///
/// Ferry carries it from one user of the content to the next and looks at no byte of it.
package struct Sidecar: Hashable, Sendable {
    /// Most bytes of one.
    package static let byteCountLimit = 65_536

    package let bytes: [UInt8]

    /// Nil for more bytes than the limit, and for none: no bytes are no sidecar.
    package init?(_ bytes: [UInt8]) {
        guard (1...Self.byteCountLimit).contains(bytes.count) else { return nil }
        self.bytes = bytes
    }
}

// As text in lower case hexadecimal: records are JSON.
extension Sidecar: Codable {
    private static let digits = Array("0123456789abcdef".utf8)

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let bytes = Self.bytes(ofHexadecimal: text), let sidecar = Self(bytes) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "not the hexadecimal text of a sidecar"
            )
        }
        self = sidecar
    }

    package func encode(to encoder: any Encoder) throws {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            text.append(Self.digits[Int(byte >> 4)])
            text.append(Self.digits[Int(byte & 15)])
        }
        var container = encoder.singleValueContainer()
        try container.encode(String(decoding: text, as: UTF8.self))
    }

    private static func bytes(ofHexadecimal text: String) -> [UInt8]? {
        let text = Array(text.utf8)
        guard text.count.isMultiple(of: 2), text.count <= 2 * byteCountLimit else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2)
        for place in stride(from: 0, to: text.count, by: 2) {
            guard let high = value(of: text[place]), let low = value(of: text[place + 1]) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
