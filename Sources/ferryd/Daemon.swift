import HTTPServer
import JobEngine
import JobStore
import Logging
import ManagementAPI
import MigrationCore
import MigrationPorts
import SimulatedDevices
import StateTransfer
import SystemIO
import VFIODevices

/// The parts of the daemon, put together.
final class Daemon: Sendable {
    /// What every listener printed.
    let addresses: [String]
    let engine: Engine
    // Held so that no second daemon uses the state directory.
    private let lock: StateDirectoryLock
    private let servers: [HTTPServer]
    private let workloads: WorkloadListener
    private let manager: NotifySocket?
    private let accessLog: AccessLogger

    init(_ settings: DaemonConfiguration, _ logger: Logger) throws(Problem) {
        try StateDirectory.make(settings.stateDirectory)
        lock = try StateDirectoryLock(directory: settings.stateDirectory)
        manager = try Self.manager()
        engine = try Self.engine(settings, manager, logger)
        workloads = try WorkloadListener(
            path: "\(settings.stateDirectory)/workload.sock",
            engine: engine
        )
        let accessLog = AccessLogger(logger)
        self.accessLog = accessLog
        let api = ManagementAPI(engine: engine) { accessLog.write($0) }
        let options = Self.serverOptions(settings, logger)
        var servers: [HTTPServer] = []
        do throws(ListenFailure) {
            for listener in settings.listeners {
                servers.append(
                    try HTTPServer(
                        listener: try ListenAddress(listener),
                        options: options,
                        api: api
                    )
                )
            }
        } catch {
            for server in servers { server.stop() }
            workloads.stop()
            throw Problem(.invalidField, error.description)
        }
        self.servers = servers
        addresses = servers.map(\.boundAddress)
        if addresses.contains(where: { $0.hasPrefix("tcp:") }) {
            logger.warning("anybody on this host may use the API over TCP (anonymous loopback)")
        }
    }

    /// Tells the service manager that the daemon serves.
    func didBegin() { try? manager?.ready() }

    /// Stops everything; blocks until it is done.
    func stop() {
        try? manager?.stopping()
        engine.endWaits()
        for server in servers { server.stop() }
        workloads.stop()
        accessLog.flush()
    }

    private static func serverOptions(
        _ settings: DaemonConfiguration,
        _ logger: Logger
    ) -> HTTPServer.Options {
        var options = HTTPServer.Options()
        options.allowsAnonymousLoopback = settings.allowsAnonymousLoopback
        if let limit = settings.bodyByteLimit { options.bodyByteLimit = limit }
        if let limit = settings.bodiesByteLimit { options.bodiesByteLimit = limit }
        if let limit = settings.connectionLimit { options.connectionLimit = limit }
        let possible = DescriptorLimit.connections(
            of: DescriptorLimit.raise(),
            listenerCount: settings.listeners.count
        )
        if possible < options.connectionLimit {
            options.connectionLimit = possible
            logger.warning("connections_limit is \(possible): no more files may be open (NOFILE)")
        }
        return options
    }

    private static func manager() throws(Problem) -> NotifySocket? {
        do throws(Errno) {
            return try NotifySocket(socket: NotifySocket.environment("NOTIFY_SOCKET"))
        } catch {
            var facts = Problem.Facts()
            facts.operation = "connect"
            facts.errno = error
            throw Problem(
                .storageFailed,
                "The service manager's NOTIFY_SOCKET does not answer: \(error.name).",
                facts
            )
        }
    }

    private static func engine(
        _ settings: DaemonConfiguration,
        _ manager: NotifySocket?,
        _ logger: Logger
    ) throws(Problem) -> Engine {
        let clock = MachineClock()
        let store = try SQLiteJobStore(
            path: "\(settings.stateDirectory)/ferry.sqlite",
            retention: settings.eventRetention
        ) { damaged in
            logger.error("a record of the store cannot be read: \(damaged)")
        }
        let images = try ImageDirectory(path: "\(settings.stateDirectory)/images")
        var configuration = EngineConfiguration()
        configuration.version = DaemonConfiguration.version
        if let count = settings.workerCount { configuration.workerCount = count }
        if let limit = settings.eventSubscriberLimit { configuration.eventSubscriberLimit = limit }
        if let limit = settings.imageByteLimit { configuration.imageByteLimit = UInt64(limit) }
        if let count = settings.spareImageByteCount {
            configuration.spareImageByteCount = UInt64(count)
        }
        if let limit = settings.uploadLimit { configuration.uploadLimit = limit }
        if let hours = settings.uploadHours { configuration.uploadHours = hours }
        if let days = settings.jobRetentionDays { configuration.jobRetentionDays = days }
        if let limit = settings.retainedJobLimit { configuration.retainedJobLimit = limit }
        if let days = settings.auditRetentionDays { configuration.auditRetentionDays = days }
        if let limit = settings.retainedAuditLimit { configuration.retainedAuditLimit = limit }
        if let limit = settings.keptAnswerLimit { configuration.keptAnswerLimit = limit }
        if let seconds = settings.bindTimeoutSeconds { configuration.bindTimeoutSeconds = seconds }
        let sockets = VFIOUserBackend(settings.vfioUserSockets)
        if let errno = sockets.eventFailure {
            logger.warning(
                """
                vfio-user sockets are looked at when a list is asked for only: \
                inotify_init1 failed with \(errno.name)
                """
            )
        }
        let engine = try Engine(
            configuration: configuration,
            backends: [
                sockets,
                try KernelBackend(sysfsRoot: settings.sysfsRoot),
                try simulatedBackend(settings.simulations, clock),
            ],
            store: store,
            images: images,
            clock: clock,
            keeper: settings.keepsDescriptors ? manager.map { SessionKeeper($0) } : nil,
            kept: SessionKeeper.kept(NotifySocket.inheritedFiles())
        )
        log(engine, logger)
        if settings.keepsDescriptors, manager == nil {
            logger.warning("sessions end with the daemon: NOTIFY_SOCKET names no service manager")
        }
        return engine
    }

    /// Devices within this process, or those of one ferry-simd.
    private static func simulatedBackend(
        _ simulations: [String],
        _ clock: MachineClock
    ) throws(Problem) -> any DeviceBackend {
        let hosts = simulations.filter { $0.hasPrefix("host=") }
        if let host = hosts.first {
            guard simulations.count == 1 else {
                throw Problem(
                    .invalidField,
                    "--simulate \(host) stands alone: simulated devices of two origins would have "
                        + "the same names"
                )
            }
            return try HostedBackend(path: String(host.dropFirst("host=".count)))
        }
        var specs: [SimulationSpec] = []
        for text in simulations { specs.append(try SimulationSpec.parse(text)) }
        return try SimulatedBackend(specs, clock: clock)
    }

    private static func log(_ engine: Engine, _ logger: Logger) {
        let recovery = engine.recovery
        for (session, problem) in engine.revivalFailures {
            logger.error("session \(session) was kept and cannot go on: \(problem.detail)")
        }
        for problem in engine.problemsAtStart { logger.error("\(problem.detail)") }
        for orphan in engine.orphans {
            logger.error(
                "the service manager holds session \(orphan.id), which the store does not know"
            )
        }
        for job in recovery.jobs {
            logger.warning(
                "job \(job.id) had not ended: \(job.state.name), may run: \(job.mayRun.rawValue)"
            )
        }
        for session in recovery.lostSessions where session.content == .lost {
            logger.warning("content_lost: session \(session.id) on \(session.device)")
        }
        for change in engine.unfinishedChanges {
            let action = change.action.name
            logger.warning(
                "the daemon died in \(action) of \(change.subject): record \(change.id) of the audit"
            )
        }
        for name in recovery.sweep.unknown {
            logger.warning("the image directory has \(name), which is no image of the catalogue")
        }
        for image in recovery.sweep.missing {
            logger.error("image \(image) is in the catalogue and not on the disk")
        }
        for problem in recovery.sweep.problems { logger.error("\(problem.detail)") }
    }
}
