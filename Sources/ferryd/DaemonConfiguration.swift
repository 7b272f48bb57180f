import JSONCoding
import MigrationCore
import SystemIO

/// Everything the daemon can be told: the file first, the command line over it.
struct DaemonConfiguration {
    static let version = "0.1.0"

    let stateDirectory: String
    let listeners: [String]
    let allowsAnonymousLoopback: Bool
    let simulations: [String]
    let sysfsRoot: String
    let workerCount: Int?
    let bodyByteLimit: Int?
    let jobRetentionDays: Int?
    let retainedJobLimit: Int?
    let keptAnswerLimit: Int?
    /// Whether the service manager holds the files of sessions over the daemon's death.
    let keepsDescriptors: Bool

    /// The configuration file; every field may be left out, unknown ones are refused.
    private struct File: Decodable {
        var stateDirectory: String?
        var listen: [String]?
        var allowAnonymousLoopback: Bool?
        var simulate: [String]?
        var sysfsRoot: String?
        /// Jobs that run side by side.
        var workers: Int?
        /// Bytes of the longest request body.
        var bodyBytesLimit: Int?
        /// Days that ended jobs and sessions stay; only those in which a daemon runs count.
        var jobRetentionDays: Int?
        /// Most ended jobs that are kept.
        var jobsRetained: Int?
        /// Most Idempotency-Keys whose answers are kept.
        var idempotencyKeysRetained: Int?
        var descriptorStore: Bool?
    }

    init(arguments: Ferryd) throws(Problem) {
        let file = try arguments.config.map(Self.read) ?? File()
        stateDirectory = arguments.stateDirectory ?? file.stateDirectory ?? "/var/lib/ferry"
        let listen = arguments.listen.isEmpty ? file.listen ?? [] : arguments.listen
        listeners = listen.isEmpty ? ["unix:/run/ferry/ferryd.sock"] : listen
        allowsAnonymousLoopback =
            arguments.allowAnonymousLoopback || file.allowAnonymousLoopback ?? false
        simulations = arguments.simulate.isEmpty ? file.simulate ?? [] : arguments.simulate
        sysfsRoot = arguments.sysfsRoot ?? file.sysfsRoot ?? "/"
        // Managers since systemd 254 say how many files they hold; older ones do not.
        let said = NotifySocket.environment("FDSTORE").flatMap { Int($0) }.map { $0 > 0 }
        keepsDescriptors = arguments.descriptorStore ?? file.descriptorStore ?? said ?? false
        workerCount = try Self.bounded(file.workers, "workers", 1...200)
        bodyByteLimit = try Self.bounded(file.bodyBytesLimit, "body_bytes_limit", 1024...(64 << 20))
        jobRetentionDays = try Self.bounded(file.jobRetentionDays, "job_retention_days", 1...36_500)
        retainedJobLimit = try Self.bounded(file.jobsRetained, "jobs_retained", 1...10_000_000)
        keptAnswerLimit = try Self.bounded(
            file.idempotencyKeysRetained,
            "idempotency_keys_retained",
            1...10_000_000
        )
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
