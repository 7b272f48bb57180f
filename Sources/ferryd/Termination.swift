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
        /// A signal was refused for the content of these sessions.
        case refused(Set<SessionID>)
        case stopping
    }

    /// What a signal leads to.
    private enum Answer {
        case refuse
        case stop
        case wait
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
        let ids = Set(kept.map(\.id))
        let answer: Answer = stage.withLock { stage in
            switch stage {
            case .stopping: return .wait
            // A second signal means what the first one was told of, and nothing that came since.
            case .refused(let told) where ids.isSubset(of: told): break
            case .serving where ids.isEmpty: break
            case .serving, .refused:
                stage = .refused(ids)
                return .refuse
            }
            stage = .stopping
            return .stop
        }
        switch answer {
        case .refuse: refuse(kept)
        case .stop: stop(losing: ids)
        case .wait: tellWhatIsWaitedFor()
        }
    }

    private func stop(losing accepted: Set<SessionID>) {
        logger.info("stopping")
        daemon.engine.stop(losing: accepted) { kept in
            guard kept.isEmpty else {
                self.stage.withLock { $0 = .refused(Set(kept.map(\.id))) }
                return self.refuse(kept)
            }
            self.daemon.stop()
            self.ended.signal()
        }
    }

    private func tellWhatIsWaitedFor() {
        for view in daemon.engine.jobsUnderWay() {
            let phase = view.job.phase?.rawValue ?? "no phase yet"
            let stuck = view.stuckIn.map { arc in
                "; \(arc.device) has been on its way to \(arc.to.kernelName) for "
                    + "\(arc.nanoseconds / 1_000_000_000) s"
            }
            logger.warning("still stopping: job \(view.job.id) is in \(phase)\(stuck ?? "")")
        }
        for change in daemon.engine.changesUnderWay() {
            logger.warning("still stopping: \(change)")
        }
    }

    private func refuse(_ kept: [SessionRecord]) {
        let devices = kept.map(\.device.text).joined(separator: ", ")
        logger.warning(
            """
            not stopping: the content of \(devices) would be lost. Collect \
            or close the sessions, or send the signal again to stop all the same.
            """
        )
    }
}
