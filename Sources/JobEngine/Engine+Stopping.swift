internal import Dispatch
package import MigrationCore
internal import MigrationPorts
internal import Synchronization

extension Engine {
    /// Sessions whose content only this process keeps alive.
    ///
    /// Simulated devices are not among them: whoever started a simulation chose its end.
    package func sessionsWithContent() -> [SessionRecord] {
        sessionTable.allOpen.filter { $0.facts.backend == .kernel && !isKept($0) }.map(\.record)
            .filter { $0.content == .live || $0.content == .loaded }
    }

    /// Whether somebody else holds a session's files, so that it goes on with the next daemon.
    private func isKept(_ session: OpenSession) -> Bool {
        guard keeper != nil, let files = try? session.device.session.keptFiles() else {
            return false
        }
        return !files.isEmpty
    }

    /// What a stop waits for: the jobs that have not ended.
    package func jobsUnderWay() -> [JobView] { jobTable.active.map(\.view) }

    /// And the devices that are being changed: `pci-0000:41:00.3: it is being bound`.
    package func changesUnderWay() -> [String] { changes.purposes }

    /// Stops: no more jobs, those before their commit are rolled back, those after it end, changes
    /// of devices end too or are given up after their time, then every session is closed that no
    /// keeper holds.
    ///
    /// A job past its commit may put content where none was. When a session with content is not
    /// among those `accepted` names, nothing is closed, work is taken again, and `done` hears of
    /// the sessions that are kept; else it hears of none when everything is closed. It is called
    /// once, from a thread of the engine's.
    ///
    /// Never blocks.
    package func stop(
        losing accepted: Set<SessionID>,
        _ done: @escaping @Sendable (_ kept: [SessionRecord]) -> Void
    ) {
        isStopping.withLock { $0 = true }
        stopping.async {
            self.callOffJobs()
            self.jobTable.whenIdle {
                self.whenUnchanged {
                    self.stopping.async { self.finishStop(losing: accepted, done) }
                }
            }
        }
    }

    private func finishStop(
        losing accepted: Set<SessionID>,
        _ done: @escaping @Sendable (_ kept: [SessionRecord]) -> Void
    ) {
        keepOwedAudit()
        let kept = sessionsWithContent().filter { !accepted.contains($0.id) }
        guard kept.isEmpty else {
            isStopping.withLock { $0 = false }
            return done(kept)
        }
        feed.close()
        closeSessions()
        done([])
    }

    /// Calls back once when no device is being changed, or when the kernel has kept one for as long
    /// as anybody waits for it: that one is settled by the next start.
    private func whenUnchanged(_ call: @escaping @Sendable () -> Void) {
        let answer = OneAnswer<Void> { _ in call() }
        let seconds = UInt64(configuration.bindTimeoutSeconds)
        let timer = OneShotTimer(seconds: seconds, on: timers) { answer.give(.success(())) }
        changes.whenIdle {
            timer.cancel()
            answer.give(.success(()))
        }
    }

    /// Ends every wait for a change and, behind what was committed, everybody's events, so that the
    /// transport can stop.
    ///
    /// Blocking.
    package func endWaits() {
        feed.close()
        events.close()
    }

    private func callOffJobs() {
        let cause = Problem(.shuttingDown, "The daemon was stopped.")
        for job in jobTable.active {
            job.interrupt(cause)
            workers.withdraw(job.id)
        }
    }

    private func closeSessions() {
        for session in sessionTable.allOpen where !isKept(session) {
            let content = session.record.content
            // The record is settled by the next start when the store does not take it.
            _ = try? end(
                session,
                .closed,
                content == .empty ? .empty : .lost,
                "The daemon was stopped.",
                .always
            )
        }
    }
}
