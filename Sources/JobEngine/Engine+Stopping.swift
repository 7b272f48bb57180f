package import MigrationCore
internal import Synchronization

extension Engine {
    /// Sessions whose content only this process keeps alive.
    ///
    /// Simulated devices are not among them: whoever started a simulation chose its end.
    package func sessionsWithContent() -> [SessionRecord] {
        sessionTable.allOpen.filter { $0.facts.backend == .kernel }.map(\.record)
            .filter { $0.content == .live || $0.content == .loaded }
    }

    /// Stops: no more jobs, those before their commit are rolled back, those after it end, then
    /// every session is closed.
    ///
    /// Calls back when it is done.
    ///
    /// Never blocks.
    package func stop(_ done: @escaping @Sendable () -> Void) {
        isStopping.withLock { $0 = true }
        let cause = Problem(.shuttingDown, "The daemon was stopped.")
        for job in jobTable.active { _ = job.interrupt(cause) }
        jobTable.whenIdle {
            self.feed.close()
            for session in self.sessionTable.allOpen {
                let content = session.record.content
                // The record is settled by the next start when the store does not take it.
                _ = try? self.end(
                    session,
                    .closed,
                    content == .empty ? .empty : .lost,
                    "The daemon was stopped."
                )
            }
            done()
        }
    }

    /// Ends every wait for a change, so that the transport can stop.
    package func endWaits() { feed.close() }
}
