import Dispatch
import Glibc
import JobEngine
import Logging
import MigrationCore
import Synchronization

/// The end of the daemon, on SIGTERM or SIGINT.
final class Termination: Sendable {
    private enum Stage {
        case serving
        case refused
        case stopping
    }

    private let daemon: Daemon
    private let logger: Logger
    private let queue = DispatchQueue(label: "ferryd.signals")
    private let ended = DispatchSemaphore(value: 0)
    /// Guards how far the end has come.
    ///
    /// A leaf.
    private let stage = Mutex(Stage.serving)

    init(_ daemon: Daemon, _ logger: Logger) {
        self.daemon = daemon
        self.logger = logger
    }

    /// Blocks until the daemon has stopped.
    func wait() {
        let sources = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { @Sendable in self.didReceiveSignal() }
            source.resume()
            return source
        }
        ended.wait()
        for source in sources { source.cancel() }
    }

    private func didReceiveSignal() {
        let kept = daemon.engine.sessionsWithContent()
        let mayStop = stage.withLock { stage in
            switch stage {
            case .serving where !kept.isEmpty:
                stage = .refused
                return false
            case .serving, .refused:
                stage = .stopping
                return true
            case .stopping: return false
            }
        }
        guard mayStop else {
            if stage.withLock({ $0 == .refused }) { refuse(kept.map(\.device.text)) }
            return
        }
        logger.info("stopping")
        daemon.engine.stop {
            self.daemon.stop()
            self.ended.signal()
        }
    }

    private func refuse(_ devices: [String]) {
        logger.warning(
            """
            not stopping: the content of \(devices.joined(separator: ", ")) would be lost. Collect \
            or close the sessions, or send the signal again to stop all the same.
            """
        )
    }
}
