package import MigrationCore
internal import MigrationPorts
internal import Synchronization

/// What is past keeping: jobs, sessions and changes that ended long ago, and answers to keyed
/// requests.
extension Engine {
    /// How often a quiet daemon looks for what is past keeping.
    private static let tidyingSeconds: UInt64 = 3600

    /// How long daemons have served with the store: it grows with the monotonic clock alone.
    var storeAge: StoreAge {
        let nanoseconds = clock.monotonicNanoseconds() - startedAtNanoseconds
        return ageAtStart.after(seconds: Int64(nanoseconds / 1_000_000_000))
    }

    /// Keeps what the store owes the audit, forgets what is past keeping and tidies up, in the
    /// background.
    ///
    /// Never while a job runs, in whose downtime the checkpoint could fall. One that fails is made
    /// again after the next job.
    func tidyStore() {
        guard jobTable.active.isEmpty else { return }
        try? perform {
            self.keepOwedAudit()
            while self.jobTable.active.isEmpty, self.forget() {}
            guard self.jobTable.active.isEmpty else { return }
            try? self.store.checkpoint()
        }
    }

    /// Tidies up from time to time where no job's end does.
    func tidyRegularly() {
        let timer = OneShotTimer(seconds: Self.tidyingSeconds, on: timers) { [weak self] in
            self?.tidyStore()
            self?.tidyRegularly()
        }
        // Let go after the lock.
        _ = tidying.withLock { tidying in
            let old = tidying
            tidying = timer
            return old
        }
    }

    /// Forgets a few records; true when there are more, and false when that failed.
    @discardableResult
    func forget() -> Bool { (try? forgetSome()) ?? false }

    /// Forgets a few records; true when there are more.
    ///
    /// Throws `store-failed`.
    func forgetSome() throws(Problem) -> Bool {
        let retention = Retention(
            seconds: Int64(configuration.jobRetentionDays) * 86_400,
            jobLimit: configuration.retainedJobLimit,
            sessionLimit: configuration.retainedSessionLimit,
            auditSeconds: Int64(configuration.auditRetentionDays) * 86_400,
            auditLimit: configuration.retainedAuditLimit,
            answerSeconds: configuration.keptAnswerSeconds,
            needed: neededJobs
        )
        let forgotten = try store.forget(retention, at: storeAge)
        for job in forgotten.jobs { jobTable.forget(job) }
        sessionTable.forget(Set(forgotten.sessions))
        keyedRequests.giveBack(forgotten.answerCount)
        return forgotten.isMoreLeft
    }

    /// Jobs that open sessions refer to: they say why a content may not run.
    private var neededJobs: Set<JobID> { Set(sessionTable.allOpen.compactMap(\.record.barredBy)) }

    /// Deletes a job that has ended, with its journal.
    ///
    /// What it made stays: images, content, the sessions' notes. Blocking. Throws `not-found`, and
    /// `job-unsettled` for one that has not ended, is indeterminate, or is why an open session's
    /// content may not run.
    package func deleteJob(_ id: JobID) throws(Problem) {
        // Nobody resolves it meanwhile: a resolved job may bar sessions, or go on.
        guard resolving.withLock({ $0.insert(id).inserted }) else {
            throw Self.unsettled(id, "is being resolved by somebody")
        }
        defer { _ = resolving.withLock { $0.remove(id) } }
        let job = try job(id).job
        if case .indeterminate = job.state {
            throw Self.unsettled(id, "ended indeterminate and has to be resolved first")
        }
        guard job.state.isTerminal else {
            throw Self.unsettled(id, "is \(job.state.name): cancel it, or wait for its end")
        }
        if let session = sessionTable.allOpen.first(where: { $0.record.barredBy == id }) {
            var problem = Self.unsettled(id, "is why the content of an open session may not run")
            problem.facts.session = session.record.id
            throw problem
        }
        var change = StoreChange()
        change.deletedJobs = [id]
        try store.apply(change, .machine)
        jobTable.forget(id)
    }

    private static func unsettled(_ id: JobID, _ reason: String) -> Problem {
        var facts = Problem.Facts()
        facts.blockingJob = id
        return Problem(.jobUnsettled, "Job \(id) \(reason).", facts)
    }
}
