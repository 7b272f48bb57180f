import JSONCoding
import JobStore
import Logging
import MigrationCore
import SystemIO
import VFIODevices

/// Everything the daemon can be told: the file first, the command line over it.
struct DaemonConfiguration {
    static let version = "0.1.0"

    let stateDirectory: String
    let listeners: [String]
    let allowsAnonymousLoopback: Bool
    let simulations: [String]
    let vfioUserSockets: [VFIOUserSocket]
    let sysfsRoot: String
    let workerCount: Int?
    let bodyByteLimit: Int?
    let eventRetention: EventRetention
    let eventSubscriberLimit: Int?
    let bodiesByteLimit: Int?
    let connectionLimit: Int?
    let imageByteLimit: Int?
    let spareImageByteCount: Int?
    let uploadLimit: Int?
    let uploadHours: Int?
    let jobRetentionDays: Int?
    let retainedJobLimit: Int?
    let auditRetentionDays: Int?
    let retainedAuditLimit: Int?
    let keptAnswerLimit: Int?
    let bindTimeoutSeconds: Int?
    /// Whether the service manager holds the files of sessions over the daemon's death.
    let keepsDescriptors: Bool
    let logLevel: Logger.Level

    /// The configuration file; every field may be left out, unknown ones are refused.
    private struct File: Decodable {
        var stateDirectory: String?
        var listen: [String]?
        var allowAnonymousLoopback: Bool?
        var simulate: [String]?
        /// `NAME=PATH`.
        var vfioUser: [String]?
        var sysfsRoot: String?
        /// Jobs that run side by side.
        var workers: Int?
        /// Bytes of the longest request body.
        var bodyBytesLimit: Int?
        /// Bytes of all request bodies that are collected at a time by one listener.
        var bodiesBytesLimit: Int?
        /// Clients of one listener at a time.
        var connectionsLimit: Int?
        /// Bytes of the longest archive of an image that is uploaded.
        var imageBytesLimit: Int?
        /// Bytes that an upload leaves free in the state directory.
        var imageSpareBytes: Int?
        /// Images that come in at the same time, those that broke off with them.
        var uploadsLimit: Int?
        /// When an upload that broke off is removed.
        var uploadHours: Int?
        /// Days that ended jobs and sessions stay; only those in which a daemon runs count.
        var jobRetentionDays: Int?
        /// Most ended jobs that are kept.
        var jobsRetained: Int?
        /// How long a change stays in the audit, in days in which a daemon ran.
        var auditRetentionDays: Int?
        /// Most changes that are kept there.
        var auditRetained: Int?
        /// Most Idempotency-Keys whose answers are kept.
        var idempotencyKeysRetained: Int?
        /// How long a bind, unbind or the like waits for the kernel.
        var bindTimeoutS: Int?
        var descriptorStore: Bool?
        var logLevel: String?
        /// Events kept for clients that come back.
        var eventsRetained: Int?
        /// Days that they are kept at most.
        var eventRetentionDays: Int?
        /// Clients that follow events at a time.
        var eventSubscribersLimit: Int?
    }

    init(arguments: Ferryd) throws(Problem) {
        let file = try arguments.config.map(Self.read) ?? File()
        stateDirectory = arguments.stateDirectory ?? file.stateDirectory ?? "/var/lib/ferry"
        let listen = arguments.listen.isEmpty ? file.listen ?? [] : arguments.listen
        listeners = listen.isEmpty ? ["unix:/run/ferry/ferryd.sock"] : listen
        allowsAnonymousLoopback =
            arguments.allowAnonymousLoopback || file.allowAnonymousLoopback ?? false
        simulations = arguments.simulate.isEmpty ? file.simulate ?? [] : arguments.simulate
        vfioUserSockets = try VFIOUserSocket.parse(
            arguments.vfioUser.isEmpty ? file.vfioUser ?? [] : arguments.vfioUser
        )
        sysfsRoot = arguments.sysfsRoot ?? file.sysfsRoot ?? "/"
        // Managers since systemd 254 say how many files they hold; older ones do not.
        let said = NotifySocket.environment("FDSTORE").flatMap { Int($0) }.map { $0 > 0 }
        keepsDescriptors = arguments.descriptorStore ?? file.descriptorStore ?? said ?? false
        logLevel = try Self.level(arguments.logLevel ?? file.logLevel)
        workerCount = try Self.bounded(file.workers, "workers", 1...200)
        var retention = EventRetention()
        if let count = try Self.bounded(file.eventsRetained, "events_retained", 0...10_000_000) {
            retention.count = count
        }
        if let days = try Self.bounded(file.eventRetentionDays, "event_retention_days", 1...3650) {
            retention.days = days
        }
        eventRetention = retention
        eventSubscriberLimit = try Self.bounded(
            file.eventSubscribersLimit,
            "event_subscribers_limit",
            0...65_536
        )
        bodyByteLimit = try Self.bounded(file.bodyBytesLimit, "body_bytes_limit", 1024...(64 << 20))
        bodiesByteLimit = try Self.bounded(
            file.bodiesBytesLimit,
            "bodies_bytes_limit",
            (1 << 20)...(16 << 30)
        )
        connectionLimit = try Self.bounded(
            file.connectionsLimit,
            "connections_limit",
            16...1_000_000
        )
        imageByteLimit = try Self.bounded(
            file.imageBytesLimit,
            "image_bytes_limit",
            1024...(1 << 60)
        )
        spareImageByteCount =
            try Self.bounded(file.imageSpareBytes, "image_spare_bytes", 0...(1 << 60))
        uploadLimit = try Self.bounded(file.uploadsLimit, "uploads_limit", 1...1024)
        uploadHours = try Self.bounded(file.uploadHours, "upload_hours", 1...8760)
        jobRetentionDays = try Self.bounded(file.jobRetentionDays, "job_retention_days", 1...36_500)
        retainedJobLimit = try Self.bounded(file.jobsRetained, "jobs_retained", 1...10_000_000)
        auditRetentionDays =
            try Self.bounded(file.auditRetentionDays, "audit_retention_days", 1...36_500)
        retainedAuditLimit = try Self.bounded(file.auditRetained, "audit_retained", 1...10_000_000)
        keptAnswerLimit = try Self.bounded(
            file.idempotencyKeysRetained,
            "idempotency_keys_retained",
            1...10_000_000
        )
        bindTimeoutSeconds = try Self.bounded(file.bindTimeoutS, "bind_timeout_s", 1...3600)
    }

    private static func level(_ name: String?) throws(Problem) -> Logger.Level {
        guard let name else { return .info }
        if let level = Logger.Level(rawValue: name) { return level }
        let names = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
        throw Problem(.invalidField, "log_level is \(name); it must be one of \(names).")
    }

    private static func bounded(
        _ value: Int?,
        _ name: String,
        _ range: ClosedRange<Int>
    ) throws(Problem) -> Int? {
        guard let value, !range.contains(value) else { return value }
        throw Problem(
            .invalidField,
            "\(name) is \(value); it must be \(range.lowerBound) to \(range.upperBound)."
        )
    }

    private static func read(_ path: String) throws(Problem) -> File {
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try BoundedFile.bytes(at: path, limit: 1 << 20)
        } catch {
            throw Problem(.badRequest, "The configuration \(path) cannot be read: \(error.name).")
        }
        do throws(JSONProblem) {
            return try JSONReader.decode(File.self, from: bytes, unknownFields: .refuse)
        } catch {
            throw Problem(
                .badRequest,
                "The configuration \(path) is wrong"
                    + (error.pointer.isEmpty ? "" : " at \(error.pointer)") + ": \(error.detail)."
            )
        }
    }
}
