import Glibc
import Testing

/// A client that sends bytes and reads answers, nothing more.
final class RawClient: Sendable {
    let descriptor: Int32

    struct Failure: Error { let errno: Int32 }

    struct Answer: Equatable {
        var status: Int
        var headers: [String: String]
        var body: String
    }

    init(_ address: String) throws {
        if address.hasPrefix("unix:") {
            descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            unsafe withUnsafeMutableBytes(of: &name.sun_path) {
                unsafe $0.copyBytes(from: address.utf8.dropFirst(5))
            }
            try connect(&name)
        } else {
            let colon = try #require(address.lastIndex(of: ":"))
            let port = try #require(UInt16(address[address.index(after: colon)...]))
            if address.contains("[") {
                descriptor = socket(
                    AF_INET6,
                    Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue),
                    0
                )
                var name = sockaddr_in6()
                name.sin6_family = sa_family_t(AF_INET6)
                name.sin6_port = port.bigEndian
                name.sin6_addr = in6addr_loopback
                try connect(&name)
            } else {
                descriptor = socket(
                    AF_INET,
                    Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue),
                    0
                )
                var name = sockaddr_in()
                name.sin_family = sa_family_t(AF_INET)
                name.sin_port = port.bigEndian
                name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
                try connect(&name)
            }
        }
        // Longer than any wait of the server: a test that would hang fails instead.
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    }

    deinit { close(descriptor) }

    private func connect<Name>(_ name: inout Name) throws {
        let result = unsafe withUnsafePointer(to: &name) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Name>.size))
            }
        }
        if result != 0 { throw Failure(errno: errno) }
    }

    /// Sends everything.
    func send(_ bytes: [UInt8]) throws {
        var offset = 0
        while offset < bytes.count {
            let count = unsafe bytes[offset...].withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 { throw Failure(errno: errno) }
            offset += count
        }
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// One byte; nil at the end of the stream.
    func readByte() throws -> UInt8? {
        var byte: UInt8 = 0
        let count = unsafe recv(descriptor, &byte, 1, 0)
        if count < 0 { throw Failure(errno: errno) }
        return count == 0 ? nil : byte
    }

    /// The text up to and with an empty line; nil when the stream ends before its first byte.
    private func readHead() throws -> String? {
        var head: [UInt8] = []
        while !head.ends(with: "\r\n\r\n".utf8) {
            guard let byte = try readByte() else {
                if head.isEmpty { return nil }
                throw Failure(errno: 0)
            }
            head.append(byte)
        }
        return String(decoding: head, as: UTF8.self)
    }

    /// The next answer; nil when the server closes instead.
    func readAnswer(hasBody: Bool = true) throws -> Answer? {
        guard let head = try readHead() else { return nil }
        let lines = head.split(separator: "\r\n", omittingEmptySubsequences: true)
        let status = try #require(Int(lines[0].split(separator: " ")[1]))
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let colon = try #require(line.firstIndex(of: ":"))
            headers[line[..<colon].lowercased()] = String(line[line.index(colon, offsetBy: 2)...])
        }
        var body: [UInt8] = []
        if hasBody, status >= 200 {
            let length = try #require(headers["content-length"].flatMap { Int($0) })
            while body.count < length { body.append(try #require(try readByte())) }
        }
        return Answer(
            status: status,
            headers: headers,
            body: String(decoding: body, as: UTF8.self)
        )
    }

    /// The next chunk of a body; empty at its end, nil when the server closes instead.
    func readChunk() throws -> String? {
        try readChunkBytes().map { String(decoding: $0, as: UTF8.self) }
    }

    func readChunkBytes() throws -> [UInt8]? {
        guard let size = try readLine(), let count = Int(size, radix: 16) else { return nil }
        let bytes = try read(count)
        return try bytes.count == count && readLine() == "" ? bytes : nil
    }

    /// Bytes up to a number, or to the end of the stream.
    func read(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let part = try unsafe [UInt8](
                unsafeUninitializedCapacity: min(65_536, count - bytes.count)
            ) {
                let count = unsafe recv(descriptor, $0.baseAddress, $0.count, 0)
                if count < 0 { throw Failure(errno: errno) }
                $1 = count
            }
            if part.isEmpty { break }
            bytes += part
        }
        return bytes
    }

    private func readLine() throws -> String? {
        var line: [UInt8] = []
        while !line.ends(with: "\r\n".utf8) {
            guard let byte = try readByte() else { return nil }
            line.append(byte)
        }
        return String(decoding: line.dropLast(2), as: UTF8.self)
    }

    /// Sends a request and reads its answer.
    func ask(
        _ method: String = "GET",
        _ target: String = "/",
        headers: String = "",
        body: String? = nil
    ) throws -> Answer? {
        let length = body.map { "Content-Length: \($0.utf8.count)\r\n" } ?? ""
        try send(
            "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n\(headers)\(length)\r\n\(body ?? "")"
        )
        return try readAnswer(hasBody: method != "HEAD")
    }

    /// Reads to the end; false when the connection was reset.
    func readsToEnd() -> Bool {
        while true {
            do {
                if try readByte() == nil { return true }
            } catch {
                return false
            }
        }
    }
}

extension [UInt8] {
    fileprivate func ends(with end: some Collection<UInt8>) -> Bool {
        suffix(end.count).elementsEqual(end)
    }
}
