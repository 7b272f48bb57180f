import ArgumentParser
import Dispatch
import Logging
import ManagementAPI
import MigrationCore
import Synchronization
import Testing

@testable import ferryd

@Suite("The log is one line an event, whatever is in it")
struct LogTests {
    @Test("a terminal gets the time and the level, journald the level as it reads it")
    func prefixes() {
        let metadata = [("status", "202"), ("path", "/v1/jobs")]
        #expect(
            LineLog.line(.info, "answered", metadata, time: "T")
                == "T info: answered [status=202 path=/v1/jobs]"
        )
        #expect(LineLog.line(.warning, "stopping", [], time: nil) == "<4>stopping")
    }

    @Test("nobody can make up a line or a field")
    func escapes() {
        let line = LineLog.line(
            .error,
            "a\nb\u{1b}[2J\\",
            [("path", "x] status=200\r\n<0>y\"z"), ("empty", ""), ("mark", "\u{2028}\u{202e}")],
            time: "T"
        )
        let expected =
            #"T error: a\u{a}b\u{1b}[2J\\ [path="x] status=200\u{d}\u{a}<0>y\"z" empty="" "#
            + #"mark="\u{2028}\u{202e}"]"#
        #expect(line == expected)
        #expect(!line.utf8.contains { $0 < 0x20 || $0 == 0x7F })
    }

    @Test("the level is info, or what the command line says, and nothing else")
    func levels() throws {
        let plain = try DaemonConfiguration(arguments: Ferryd.parse([]))
        #expect(plain.logLevel == .info)
        let quiet = try DaemonConfiguration(arguments: Ferryd.parse(["--log-level", "error"]))
        #expect(quiet.logLevel == .error)
        let problem = #expect(throws: Problem.self) {
            try DaemonConfiguration(arguments: Ferryd.parse(["--log-level", "loud"]))
        }
        #expect(problem?.code == .invalidField)
    }

    @Test("a reader that is slow holds nobody up, and what was dropped is told")
    func dropping() {
        let sink = Sink()
        var logger = Logger(label: "test") { _ in SinkLog(sink: sink) }
        logger.logLevel = .info
        let log = AccessLogger(logger, pendingLimit: 2)
        for number in 0..<5 { log.write(Self.record("\(number)")) }
        sink.gate.signal()
        sink.gate.signal()
        sink.gate.signal()
        log.flush()
        let lines = sink.lines.withLock { $0 }
        #expect(lines == ["0", "3 requests are missing from the log: too many at once", "1"])
    }

    private static func record(_ id: String) -> AccessRecord {
        AccessRecord(
            requestID: id,
            caller: "uid:0",
            endpoint: "createJob",
            method: "POST",
            path: "/v1/jobs",
            status: 202,
            problem: nil,
            nanoseconds: 1,
            traceID: nil
        )
    }

    /// Takes a line when the test lets it.
    private final class Sink: Sendable {
        let gate = DispatchSemaphore(value: 0)
        /// Guards the lines; a leaf.
        let lines = Mutex<[String]>([])
    }

    private struct SinkLog: LogHandler {
        let sink: Sink
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            #expect(sink.gate.wait(timeout: .now() + 60) == .success)
            let id = event.metadata?["request_id"].map { "\($0)" }
            sink.lines.withLock { $0.append(id ?? "\(event.message)") }
        }
    }
}
