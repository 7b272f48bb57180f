import Dispatch
import Logging
import ManagementAPI
import Synchronization

/// Writes the log of requests, on a thread of its own: nobody who reads standard error slowly holds
/// up an answer.
final class AccessLogger: Sendable {
    private let logger: Logger
    private let queue = DispatchQueue(label: "ferryd.access-log")
    /// Records that wait to be written; more are dropped, and counted.
    private let pendingLimit: Int
    private let pending = Atomic(0)
    private let dropped = Atomic(0)

    init(_ logger: Logger, pendingLimit: Int = 1024) {
        self.logger = logger
        self.pendingLimit = pendingLimit
    }

    /// Never blocks.
    func write(_ record: AccessRecord) {
        guard logger.logLevel <= Self.level(of: record) else { return }
        guard pending.add(1, ordering: .relaxed).newValue <= pendingLimit else {
            pending.subtract(1, ordering: .relaxed)
            dropped.add(1, ordering: .relaxed)
            return
        }
        queue.async {
            self.writeNow(record)
            self.pending.subtract(1, ordering: .relaxed)
        }
    }

    /// Returns when everything is written that came before.
    func flush() { queue.sync {} }

    private func writeNow(_ record: AccessRecord) {
        logger.log(level: Self.level(of: record), "answered", metadata: Self.metadata(of: record))
        let count = dropped.exchange(0, ordering: .relaxed)
        if count > 0 {
            logger.warning("\(count) requests are missing from the log: too many at once")
        }
    }

    private static func level(of record: AccessRecord) -> Logger.Level {
        record.status >= 500 ? .error : .info
    }

    private static func metadata(of record: AccessRecord) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "request_id": "\(record.requestID)",
            "caller": "\(record.caller)",
            "endpoint": "\(record.endpoint ?? "none")",
            "path": "\(record.path)",
            "status": "\(record.status)",
            "duration_us": "\(record.nanoseconds / 1000)",
        ]
        if let method = record.method { metadata["method"] = "\(method)" }
        if let problem = record.problem { metadata["problem"] = "\(problem)" }
        if let trace = record.traceID { metadata["trace_id"] = "\(trace)" }
        return metadata
    }
}
