import ArgumentParser
import Dispatch
import Glibc
import MigrationCore
import SimulatedDevices

/// `ferry-simd [serve]`: serves until SIGTERM or SIGINT.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve simulated devices; prints \"listening PATH\" when it does.",
        discussion: "SIGTERM and SIGINT close every device and end it."
    )

    @Option(help: "Where to make the UNIX socket.")
    var listen: String

    @Option(help: "PROFILE[:key=value,…], as ferryd's; may be given several times.")
    var simulate: [String] = []

    @Option(help: "A file to add a line to whenever a device begins or ends to act.")
    var log: String?

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        do throws(Problem) {
            let specs = try simulate.map { text throws(Problem) in
                try SimulationSpec.parse(text)
            }
            let backend = try SimulatedBackend(specs, evidence: try evidence())
            let host = try SimulatedHost(path: listen, backend)
            print("listening \(listen)")
            fflush(nil)
            Self.waitForSignal()
            host.stop()
        } catch {
            throw FerrySimd.fail(error)
        }
    }

    private func evidence() throws(Problem) -> EvidenceLog? {
        guard let log else { return nil }
        do throws(Errno) {
            return try EvidenceLog(path: log) { errno in
                // Devices that act unseen would prove nothing: end them.
                _ = FerrySimd.fail(
                    Problem(.storageFailed, "the log \(log) takes no more: \(errno.name)")
                )
                _exit(1)
            }
        } catch {
            throw Problem(.storageFailed, "the log \(log) cannot be opened: \(error.name)")
        }
    }

    private static func waitForSignal() {
        let queue = DispatchQueue(label: "ferry-simd.signals")
        let ended = DispatchSemaphore(value: 0)
        let sources = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { @Sendable in _ = ended.signal() }
            source.resume()
            return source
        }
        ended.wait()
        for source in sources { source.cancel() }
    }
}
