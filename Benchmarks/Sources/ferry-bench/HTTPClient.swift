import Foundation
import Glibc

/// Asks a server on this host, one request after another on one connection.
final class HTTPClient {
    let port: Int
    private let descriptor: Int32
    private var pending: [UInt8] = []
    private static let decoder: JSONDecoder = {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }()

    init(port: Int) throws {
        self.port = port
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw BenchFailure("cannot connect: errno \(errno)") }
    }

    deinit { close(descriptor) }

    /// The answer's status and body.
    func ask(_ method: String, _ target: String, _ body: String = "") throws -> (Int, Data) {
        var request = "\(method) \(target) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n"
        if !body.isEmpty {
            request += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n"
        }
        let bytes = Array((request + "\r\n" + body).utf8)
        guard send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw BenchFailure("cannot send: errno \(errno)")
        }
        let end: [UInt8] = [13, 10, 13, 10]
        var head: Range<Int>?
        while head == nil {
            head = pending.firstRange(of: end)
            if head == nil { try receive() }
        }
        guard let head else { throw BenchFailure("no head") }
        let lines = String(decoding: pending[..<head.lowerBound], as: UTF8.self)
            .split(separator: "\r\n")
        let status = lines.first.flatMap { Int($0.split(separator: " ")[1]) } ?? 0
        let length =
            lines.first { $0.lowercased().hasPrefix("content-length:") }
            .flatMap { Int($0.split(separator: " ")[1]) } ?? 0
        while pending.count < head.upperBound + length { try receive() }
        let answer = Data(pending[head.upperBound..<head.upperBound + length])
        pending.removeSubrange(..<(head.upperBound + length))
        return (status, answer)
    }

    /// The document of an answer that is a success.
    func get<Document: Decodable>(
        _ type: Document.Type,
        _ target: String,
        _ method: String = "GET",
        _ body: String = ""
    ) throws -> Document {
        let (status, data) = try ask(method, target, body)
        guard (200..<300).contains(status) else {
            let problem = try? Self.decoder.decode(Problem.self, from: data)
            throw BenchFailure("\(method) \(target): \(status) \(problem?.code ?? "")")
        }
        return try Self.decoder.decode(type, from: data)
    }

    private func receive() throws {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { throw BenchFailure("the connection ended: errno \(errno)") }
        pending += buffer[..<count]
    }
}

// MARK: What is read of Ferry's documents

struct Problem: Decodable { let code: String }

struct Page<Item: Decodable>: Decodable {
    let items: [Item]
    let nextCursor: String?
}

struct Named: Decodable { let id: String }

/// A device, as far as it says who has it open.
struct Holder: Decodable { let session: String? }

struct Job: Decodable {
    let id: String
    let state: String
    let generation: Int
    let image: String?
    let error: Problem?
    let progress: Progress?
    let phaseTimes: [PhaseTime]
    let devices: [Device]

    struct Progress: Decodable {
        let sentBytes: Double
        let actualDowntimeMs: Double?
    }

    struct PhaseTime: Decodable {
        let phase: String
        let durationUs: Double?
    }

    struct Device: Decodable {
        let arcs: [Arc]
    }

    struct Arc: Decodable {
        let to: String
        let durationUs: Double
    }

    /// Microseconds by arc, without the arcs' own, of the phases in which nothing is done but SETs:
    /// the quiescing of the source and the start of the target.
    var engineTimeByPureArc: Double {
        let phases = phaseTimes.filter { ["quiesce", "start"].contains($0.phase) }
        let states: Set = ["pre_copy_p2p", "running_p2p", "running"]
        let arcs = devices.flatMap(\.arcs).filter { states.contains($0.to) }
        let own = arcs.map(\.durationUs).reduce(0, +)
        return (phases.compactMap(\.durationUs).reduce(0, +) - own) / Double(arcs.count)
    }

    var isEnded: Bool { !["queued", "running", "cancelling"].contains(state) }

    /// From the first phase that stops to the end of the one that starts, in microseconds.
    var downtime: Double {
        let phases: Set = ["quiesce", "stop_copy", "load", "commit", "start"]
        return phaseTimes.filter { phases.contains($0.phase) }.compactMap(\.durationUs).reduce(0, +)
    }
}
