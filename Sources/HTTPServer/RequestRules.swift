internal import ManagementAPI

/// What the headers of a request must be before its body is read and the API sees it.
struct RequestRules: Sendable {
    /// The names this server answers to for callers nothing is known of; for them a web page of
    /// another origin, or a name that was bent to point here, must not do.
    let loopbackHosts: Set<String>

    init(boundAddress: ListenAddress) {
        var hosts: Set = ["localhost", "127.0.0.1", "[::1]"]
        if case .tcp(let host, _) = boundAddress { hosts.insert(host.text) }
        self.loopbackHosts = hosts
    }

    /// Why a request is refused; nil when it is not.
    func refusal(of head: RequestHead, caller: Caller) -> TransportRefusal? {
        for name in Self.singletons where head.headers.count(where: { $0.name == name }) > 1 {
            return .badRequest("The header \(name) is there more than once.")
        }
        if head.isHTTP11, head["host"] == nil {
            return .badRequest("An HTTP/1.1 request must have a Host header.")
        }
        return framing(of: head) ?? expectation(of: head) ?? origin(of: head, caller)
    }

    /// Headers of which two would leave a reader to choose one.
    private static let singletons = [
        "host", "content-length", "transfer-encoding", "content-type", "expect", "origin",
        "idempotency-key", "authorization",
    ]

    /// Whether the end of the body is beyond doubt.
    private func framing(of head: RequestHead) -> TransportRefusal? {
        if let coding = head["transfer-encoding"] {
            guard head["content-length"] == nil else {
                return .badRequest("Transfer-Encoding and Content-Length exclude each other.")
            }
            guard head.isHTTP11, coding.lowercased() == "chunked" else {
                return .badRequest("The only transfer coding is chunked, and of HTTP/1.1.")
            }
        }
        guard head["content-length"] == nil || head.declaredByteCount != nil else {
            return .badRequest("Content-Length is not a number.")
        }
        return nil
    }

    private func expectation(of head: RequestHead) -> TransportRefusal? {
        guard let expectation = head["expect"], expectation.lowercased() != "100-continue" else {
            return nil
        }
        return .unknownExpectation(expectation)
    }

    private func origin(of head: RequestHead, _ caller: Caller) -> TransportRefusal? {
        guard caller == .anonymousLoopback else { return nil }
        let host = head["host"]?.lowercased() ?? ""
        guard isLoopback(host) else { return .foreignHost(host) }
        guard let origin = head["origin"]?.lowercased() else { return nil }
        return origin == "http://\(host)" ? nil : .foreignOrigin(origin)
    }

    /// Whether a Host header names us; any port is good, since tunnels have their own.
    private func isLoopback(_ host: String) -> Bool {
        if loopbackHosts.contains(host) { return true }
        guard let colon = host.lastIndex(of: ":") else { return false }
        let port = host[host.index(after: colon)...]
        return UInt16(port) != nil && port.utf8.allSatisfy { (0x30...0x39).contains($0) }
            && loopbackHosts.contains(String(host[..<colon]))
    }
}
