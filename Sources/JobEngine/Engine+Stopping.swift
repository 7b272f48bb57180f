internal import Dispatch
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
    /// Calls back when it is done, from a thread of the engine's.
    ///
    /// Never blocks.
    package func stop(_ done: @escaping @Sendable () -> Void) {
        isStopping.withLock { $0 = true }
        stopping.async {
            self.callOffJobs()
            self.jobTable.whenIdle {
                self.stopping.async {
                    self.feed.close()
                    self.closeSessions()
                    done()
                }
            }
        }
    }

    /// Ends every wait for a change, so that the transport can stop.
    package func endWaits() { feed.close() }

    private func callOffJobs() {
        let cause = Problem(.shuttingDown, "The daemon was stopped.")
        for job in jobTable.active {
            job.interrupt(cause)
            workers.withdraw(job.id)
        }
    }

    private func closeSessions() {
        for session in sessionTable.allOpen {
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
