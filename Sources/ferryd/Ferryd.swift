import ArgumentParser
import Dispatch
import Glibc
import Logging
import MigrationCore

/// The daemon: reads its configuration, serves until a signal ends it.
@main
struct Ferryd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ferryd",
        abstract: "Moves the state of this host's VFIO devices, by an HTTP API.",
        discussion: """
            Prints one line for each listener on standard output once it serves:
            "listening tcp:127.0.0.1:43121". Logs go to standard error.

            SIGTERM and SIGINT roll jobs back that are not committed, end the others, and stop. \
            Under a service manager that keeps descriptors (FileDescriptorStoreMax=) sessions stay \
            open with it, over a crash too. Without one a device of the host with content would \
            lose it: then the first signal is refused with a log line, and a second one stops all \
            the same.
            """,
        version: DaemonConfiguration.version
    )

    @Option(help: "A JSON file with the same settings, by their long names with underscores.")
    var config: String?

    @Option(help: "Where jobs, images and the workload socket are kept.")
    var stateDirectory: String?

    @Option(help: "unix:PATH or tcp:HOST:PORT; may be given several times. Port 0 picks one.")
    var listen: [String] = []

    @Flag(help: "Let anybody on this host in over TCP on a loopback address.")
    var allowAnonymousLoopback = false

    @Option(
        help: """
            PROFILE[:key=value,…]: simulated devices; may be given several times. Or once \
            host=PATH: those of a ferry-simd.
            """
    )
    var simulate: [String] = []

    @Option(
        help: """
            NAME=PATH: list the vfio-user device behind the UNIX socket PATH as vfiouser-NAME; may \
            be given several times.
            """
    )
    var vfioUser: [String] = []

    @Flag(
        inversion: .prefixedNo,
        help: """
            Keep sessions in the service manager's descriptor store; by default where it says that \
            it has one (FDSTORE).
            """
    )
    var descriptorStore: Bool?

    @Option(help: "List the devices of a captured tree instead of this host's.")
    var sysfsRoot: String?

    @Option(
        help: """
            trace, debug, info (the default), notice, warning, error or critical. At info every \
            request that may change something is logged.
            """
    )
    var logLevel: String?

    func run() throws {
        LoggingSystem.bootstrap { _ in LineLog() }
        signal(SIGPIPE, SIG_IGN)
        var logger = Logger(label: "ferryd")
        do {
            let settings = try DaemonConfiguration(arguments: self)
            logger.logLevel = settings.logLevel
            let daemon = try Daemon(settings, logger)
            for address in daemon.addresses { print("listening \(address)") }
            fflush(nil)
            daemon.didBegin()
            Termination(daemon, logger).wait()
        } catch {
            logger.critical("\(error.code.rawValue): \(error.detail)")
            throw ExitCode(1)
        }
    }
}
