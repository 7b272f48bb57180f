import Glibc
import MigrationCore
import MigrationPorts
import SimulatedDevices
import SystemIO
import Testing

/// A host of simulated devices in this process, at a socket in a directory of its own.
final class HostFixture {
    let host: SimulatedHost
    let directory: String
    let clock = HandClock()

    var path: String { "\(directory)/simd.sock" }
    private var logPath: String { "\(directory)/log" }

    init(_ specs: String...) throws {
        var template = Array("/tmp/ferry-simd-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Errno(number: errno) }
        directory = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) },
            as: UTF8.self
        )
        let log = try EvidenceLog(path: "\(directory)/log") { errno in
            Issue.record("a line of the log was lost: \(errno.name)")
        }
        let backend = try SimulatedBackend(
            try specs.map { try SimulationSpec.parse($0) },
            clock: clock,
            evidence: log
        )
        host = try SimulatedHost(path: "\(directory)/simd.sock", backend)
    }

    deinit {
        host.stop()
        unsafe unlink(logPath)
        unsafe unlink(path)
        unsafe rmdir(directory)
    }

    /// What a daemon has of the host.
    func client() throws -> HostedBackend { try HostedBackend(path: path) }

    func connection() -> HostConnection { HostConnection(path: path) }

    /// What a daemon that started first has open.
    func sessions() throws -> [any DeviceSession] { try client().initialSessions() }

    /// The lines of the log.
    func lines() throws -> [String] {
        let bytes = try BoundedFile.bytes(at: logPath, limit: 1 << 24)
        #expect(bytes.last == UInt8(ascii: "\n"))
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// The events of the log for a device, in order.
    func events(of device: String) throws -> [String] {
        try lines().filter { $0.contains("\"device\":\"\(device)\"") }.map { line in
            String(try #require(line.field("event")))
        }
    }

    func digest(_ name: String) throws -> String {
        let record = try client().device(try #require(DeviceID(name)))
        return try #require(record?.simulation).contentDigest
    }
}

extension String {
    /// The text of a field of a log line.
    func field(_ name: String) -> Substring? {
        guard let start = firstRange(of: "\"\(name)\":\"")?.upperBound else { return nil }
        return self[start...].prefix { $0 != "\"" }
    }

    private func firstRange(of other: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(other) {
                return start..<index(start, offsetBy: other.count)
            }
            start = index(after: start)
        }
        return nil
    }
}

/// The id of a device.
func id(_ name: String) throws -> DeviceID { try #require(DeviceID(name)) }
