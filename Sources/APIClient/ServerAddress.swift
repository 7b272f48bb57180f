/// Where a ferryd listens: `unix:PATH` or `tcp:HOST:PORT`, as its `--listen` is written.
package enum ServerAddress: Hashable, Sendable, CustomStringConvertible {
    case unix(path: String)
    /// The host may be an IPv6 address in brackets.
    case tcp(host: String, port: UInt16)

    /// Nil when the text is no address.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        switch parts[0] {
        case "unix":
            // sun_path has 108 bytes with its NUL.
            guard !parts[1].isEmpty, parts[1].utf8.count < 108 else { return nil }
            self = .unix(path: String(parts[1]))
        case "tcp":
            guard let colon = parts[1].lastIndex(of: ":"),
                let port = UInt16(parts[1][parts[1].index(after: colon)...]), port > 0
            else { return nil }
            let host = parts[1][..<colon]
            guard !host.isEmpty, host.utf8.allSatisfy(Self.isHostByte) else { return nil }
            self = .tcp(host: String(host), port: port)
        default: return nil
        }
    }

    package var description: String {
        switch self {
        case .unix(let path): "unix:\(path)"
        case .tcp(let host, let port): "tcp:\(host):\(port)"
        }
    }

    /// What a URL of this server begins with.
    var origin: String {
        switch self {
        // The name is for the Host header alone.
        case .unix: "http://localhost"
        case .tcp(let host, let port): "http://\(host):\(port)"
        }
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
            true
        default: false
        }
    }
}
