import Glibc
import Logging
import MigrationCore
import SystemIO

/// A log of one line an event on standard error, as journald and terminals read it.
///
/// `2026-12-01T03:15:00.120Z info: answered [endpoint=createJob status=202]`; for journald the
/// level goes before the line as `<6>`, and the time is left to it. Control bytes and quotes in what
/// is logged are escaped: no client can make up a line.
struct LineLog: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    private let isForJournal: Bool

    /// `isForJournal` says whether standard error goes to journald.
    init(isForJournal: Bool = Self.isStandardErrorJournal) { self.isForJournal = isForJournal }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let metadata = metadata.merging(event.metadata ?? [:]) { $1 }
        let line = Self.line(
            event.level,
            "\(event.message)",
            metadata.map { ($0.key, "\($0.value)") }.sorted { $0.0 < $1.0 },
            time: isForJournal ? nil : SystemClock.timestamp().rfc3339
        )
        // One call, so that lines of several threads do not mix.
        let bytes = Array("\(line)\n".utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// The line of an event; without a time it is for journald.
    static func line(
        _ level: Logger.Level,
        _ message: String,
        _ metadata: [(name: String, value: String)],
        time: String?
    ) -> String {
        var line = time.map { "\($0) \(level): " } ?? "<\(level.journalPriority)>"
        line += escaped(message)
        guard !metadata.isEmpty else { return line }
        let pairs = metadata.map { "\($0.name)=\(value($0.value))" }
        return line + " [\(pairs.joined(separator: " "))]"
    }

    /// A value in quotes, unless it is a word.
    private static func value(_ text: String) -> String {
        let isWord = text.unicodeScalars.allSatisfy { scalar in
            scalar.isASCII && scalar.value > 0x20 && scalar.value != 0x7F
                && !"\"[]=\\".unicodeScalars.contains(scalar)
        }
        if isWord, !text.isEmpty { return text }
        let quoted = escaped(text).split(separator: "\"", omittingEmptySubsequences: false)
        return "\"\(quoted.joined(separator: "\\\""))\""
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                escaped += "\\u{\(String(scalar.value, radix: 16))}"
            case _ where scalar == "\\": escaped += "\\\\"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// journald says in JOURNAL_STREAM which file its stream is.
    static let isStandardErrorJournal: Bool = {
        guard let said = unsafe getenv("JOURNAL_STREAM").map({ unsafe String(cString: $0) }) else {
            return false
        }
        var status = stat()
        guard unsafe fstat(STDERR_FILENO, &status) == 0 else { return false }
        return said == "\(status.st_dev):\(status.st_ino)"
    }()
}

extension Logger.Level {
    /// The level as `sd-daemon(3)` has it.
    fileprivate var journalPriority: Int {
        switch self {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}
