internal import Glibc

/// Where a server listens: `unix:PATH` or `tcp:HOST:PORT`, port 0 for any free one.
package enum ListenAddress: Hashable, Sendable, CustomStringConvertible {
    case unix(path: String)
    case tcp(host: Host, port: UInt16)

    /// An address of this machine's loopback.
    ///
    /// There is no other: who is not on this host needs TLS, which this server does not have.
    package enum Host: Hashable, Sendable {
        /// 127.0.0.0/8, in host byte order.
        case v4(UInt32)
        /// `::1`.
        case v6
    }

    /// Reads an address as an operator writes it; `localhost` is 127.0.0.1.
    package init(_ text: String) throws(ListenFailure) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst("unix:".count))
            guard !path.isEmpty, path.utf8.count <= Self.pathByteLimit, !path.utf8.contains(0)
            else {
                throw ListenFailure(
                    "\(text): the path must have 1 to \(Self.pathByteLimit) bytes"
                )
            }
            self = .unix(path: path)
            return
        }
        guard text.hasPrefix("tcp:"), let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else {
            throw ListenFailure("\(text): must be unix:PATH or tcp:HOST:PORT")
        }
        let host = String(text[..<colon].dropFirst("tcp:".count))
        guard let host = Host(host) else {
            throw ListenFailure(
                "\(text): TCP is served on loopback only (127.0.0.1, [::1], localhost)"
            )
        }
        self = .tcp(host: host, port: port)
    }

    package var description: String {
        switch self {
        case .unix(let path): "unix:\(path)"
        case .tcp(let host, let port): "tcp:\(host.text):\(port)"
        }
    }

    /// `sun_path` less its terminator.
    private static let pathByteLimit = 107
}

extension ListenAddress.Host {
    /// A literal loopback address, IPv6 in brackets, or `localhost`.
    init?(_ text: String) {
        switch text.lowercased() {
        case "localhost": self = .v4(0x7F00_0001)
        case "[::1]": self = .v6
        default:
            var address = in_addr()
            guard unsafe inet_pton(AF_INET, text, &address) == 1 else { return nil }
            let number = UInt32(bigEndian: address.s_addr)
            guard number >> 24 == 127 else { return nil }
            self = .v4(number)
        }
    }

    /// The address as it stands in a URL.
    var text: String {
        switch self {
        case .v4(let number):
            [24, 16, 8, 0].map { String(number >> $0 & 255) }.joined(separator: ".")
        case .v6: "[::1]"
        }
    }
}

/// Why a server cannot listen, in one sentence for the operator.
package struct ListenFailure: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }

    /// A failed call of the C library, with what `errno` says now.
    init(_ address: ListenAddress, _ call: String, errno number: Int32 = Glibc.errno) {
        let text = unsafe strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)"
        self.init("\(address): \(call): \(text)")
    }
}
