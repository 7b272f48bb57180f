internal import MigrationCore
internal import MigrationPorts
internal import StateTransfer

/// The limits of a job while it runs, and what passing one does to it.
extension ActiveJob {
    /// Gives the job other limits.
    ///
    /// `revisions` are those of the limits the caller means; nil for whatever they are. Throws
    /// `precondition-failed`, and `job-committed` or `job-finished` when they end no more.
    func changeLimits(
        _ limits: JobSpec.Limits,
        ifRevision revisions: [UInt64]?
    ) throws(Problem) {
        try changing([.limitsChanged(limits)]) { job throws(Problem) in
            if let revisions, !revisions.contains(job.limitsRevision) {
                throw Problem(
                    .preconditionFailed,
                    "The limits of job \(id) have changed: read them again."
                )
            }
        } change: { job in
            job.changedLimits = ChangedLimits(
                limits: limits,
                revision: job.limitsRevision + 1
            )
        } then: { machine in
            machine.setDowntimeLimit(milliseconds: limits.downtimeMilliseconds)
        }
        clearStall()
        limiter.setRate(bytesPerSecond: limits.bandwidthBytesPerSecond)
        wake()
    }

    /// The job was not complete in time.
    func didNotComplete() {
        let seconds = job.limits.completionTimeoutSeconds
        pass(Problem(.timedOut, "The job was not complete after \(seconds) s."))
    }

    /// Looks whether pre-copy comes any nearer to its end; after every round.
    func checkProgress(at now: UInt64) {
        guard let seconds = job.limits.progressTimeoutSeconds,
            let stalled = stalledNanoseconds(at: now), stalled / 1_000_000_000 >= seconds,
            takeStall()
        else { return }
        pass(
            Problem(
                .timedOut,
                "Pre-copy came no nearer to its end in \(seconds) s; what holds it up: "
                    + view.switchoverBlockedBy.joined(separator: ", ") + "."
            )
        )
    }

    /// Does what the job was told to do when a limit in time is passed.
    private func pass(_ problem: Problem) {
        switch job.limits.onTimeout {
        case .cancel: interrupt(problem)
        case .switchOver: forceSwitchover(problem)
        case .goOn: warn(problem.detail)
        }
    }
}
