import APIClient
import Dispatch
import Glibc
import Synchronization

/// A server that reads requests and answers them with given bytes, true or not, one connection
/// after the other.
///
/// It waits for a client, and for what that sends, a minute at most. Then, and when its script is
/// at its end, nobody can connect any more, so no client waits for an answer that never comes.
final class ScriptedServer: Sendable {
    /// What becomes of one connection.
    struct Step: Sendable {
        let answer: [UInt8]
        /// How much of the body is read before the answer; nil for all that was announced.
        var bodyByteCount: Int?

        init(_ answer: String, bodyByteCount: Int? = nil) {
            self.answer = Array(answer.utf8)
            self.bodyByteCount = bodyByteCount
        }

        /// A document, with its length.
        static func json(_ text: String, status: Int = 200) -> Step {
            let type = status < 400 ? "application/json" : "application/problem+json"
            return Step(
                "HTTP/1.1 \(status) X\r\nContent-Type: \(type)\r\nConnection: close\r\n"
                    + "Content-Length: \(text.utf8.count)\r\n\r\n\(text)"
            )
        }

        /// Events, until the connection is closed.
        static func events(_ text: String) -> Step {
            Step("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n\(text)")
        }

        /// Nothing: the connection is closed behind the request.
        static let silence = Step("")
    }

    struct Request: Sendable {
        let head: String
        let body: [UInt8]

        var line: String { String(head.prefix { $0 != "\r\n" }) }

        /// The value of a header, by its name as it was sent.
        func header(_ name: String) -> String? {
            head.split(separator: "\r\n").first { $0.hasPrefix("\(name): ") }
                .map { String($0.dropFirst(name.count + 2)) }
        }
    }

    private static let waitSeconds = 60

    let address: ServerAddress
    private let path: String
    private let listener: Int32
    /// Guards what was asked.
    ///
    /// A leaf.
    private let asked = Mutex<[Request]>([])

    convenience init(_ steps: Step...) throws { try self.init(steps) }

    init(_ steps: [Step]) throws {
        struct CannotListen: Error {}
        path = "/tmp/ferry-scripted-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock"
        address = .unix(path: path)
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &name.sun_path) { room in
            unsafe room.copyBytes(from: path.utf8)
        }
        let bound = unsafe withUnsafePointer(to: &name) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0, listen(listener, 16) == 0 else { throw CannotListen() }
        DispatchQueue(label: "scripted").async { [self] in
            for step in steps { guard serve(step) else { break } }
            // Whoever comes later is turned away, and so is whoever waits.
            shutdown(listener, Int32(SHUT_RDWR))
            while case let late = accept(listener, nil, nil), late >= 0 { close(late) }
        }
    }

    deinit {
        close(listener)
        unsafe unlink(path)
    }

    var requests: [Request] { asked.withLock { $0 } }

    /// Serves one connection; false when nobody came.
    private func serve(_ step: Step) -> Bool {
        var waiting = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&waiting, 1, Int32(Self.waitSeconds * 1000)) == 1 else { return false }
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return false }
        defer { close(client) }
        var limit = timeval(tv_sec: Self.waitSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        unsafe setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        var bytes: [UInt8] = []
        var head: [UInt8]?
        var wanted = 0
        while head == nil || bytes.count < wanted {
            guard let more = receive(client) else { break }
            bytes += more
            guard head == nil, let end = Self.end(ofHeadIn: bytes) else { continue }
            let text = String(decoding: bytes[..<end], as: UTF8.self)
            head = Array(bytes[..<end])
            bytes.removeFirst(end)
            let announced = text.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
            wanted = step.bodyByteCount ?? announced.flatMap { Int($0.dropFirst(16)) } ?? 0
        }
        asked.withLock {
            $0.append(Request(head: String(decoding: head ?? [], as: UTF8.self), body: bytes))
        }
        var rest = step.answer[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private func receive(_ client: Int32) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe buffer.withUnsafeMutableBytes {
            unsafe recv(client, $0.baseAddress, $0.count, 0)
        }
        return count > 0 ? Array(buffer[..<count]) : nil
    }

    private static func end(ofHeadIn bytes: [UInt8]) -> Int? {
        let mark = Array("\r\n\r\n".utf8)
        return bytes.indices.first { bytes[$0...].starts(with: mark) }.map { $0 + mark.count }
    }
}
