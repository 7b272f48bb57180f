package import MigrationCore
internal import MigrationPorts
internal import Synchronization

extension Engine {
    /// Settles a job that ended indeterminate: says who may run, and makes it so.
    ///
    /// `nobody` frees its devices as they are. `target` lets the targets run, if they are LOADED and
    /// no abort stands. `source` lets the sources run, behind an abort; behind a commit only when the
    /// caller vouches that the targets cannot run (`isTargetFenced`) and none of them has a session
    /// here. Blocking. Throws `not-indeterminate`, `job-committed`, `cancelled`, `no-session`.
    package func resolve(
        _ id: JobID,
        mayRun: MayRun,
        isTargetFenced: Bool
    ) throws(Problem) -> JobView {
        try checkAccepting()
        guard resolving.withLock({ $0.insert(id).inserted }) else {
            throw Problem(.notIndeterminate, "Job \(id) is being resolved by somebody else.")
        }
        defer { _ = resolving.withLock { $0.remove(id) } }
        let job = try self.job(id).job
        guard case .indeterminate = job.state else {
            throw Problem(
                .notIndeterminate,
                "Job \(id) is \(job.state.name): only an indeterminate one can be resolved."
            )
        }
        var facts = JournalFacts()
        for line in try wholeJournal(of: id) { facts.note(line.entry) }
        switch mayRun {
        case .nobody, .unknown: return try settle(job)
        case .target: try checkRunnable(job, facts)
        case .source: try checkTakeBack(job, facts, isTargetFenced)
        }
        try reservePlace()
        do throws(Problem) {
            return try goOn(job, facts, mayRun)
        } catch {
            workers.giveBackPlace()
            throw error
        }
    }

    /// Ends the job for good and frees what it held.
    ///
    /// What is left of its content may not run: who may is nobody.
    private func settle(_ job: Job) throws(Problem) -> JobView {
        var settled = job
        let problem =
            job.state.problem ?? Problem(.internalError, "The job was indeterminate.")
        settled.state = .failed(problem)
        settled.mayRun = .nobody
        settled.generation += 1
        let now = clock.timestamp()
        let lines: [JournalEntry.Line] = [.resolved(.nobody), .finished(state: "failed")]
        var change = StoreChange(settled, lines, at: now)
        let held = job.spec.work.devices.compactMap { session(of: job, on: $0) }
        for session in held {
            var record = session.record
            record.bar(by: job.id)
            change.sessions.append(record)
            change.events += StoreChange(record, at: now).events
        }
        try events.telling { () throws(Problem) in
            try store.apply(change, .machine)
            for session in held { _ = session.update { $0.bar(by: job.id) } }
            locks.release(job.spec.work.devices, from: .indeterminate(job.id))
            jobTable.forget(job.id)
        }
        feed.didChange(job.id, generation: settled.generation)
        return try self.job(job.id)
    }

    private func checkRunnable(_ job: Job, _ facts: JournalFacts) throws(Problem) {
        guard !job.spec.work.targets.isEmpty, !facts.isAborted, facts.isLoaded else {
            throw Problem(
                .cancelled,
                "The targets of job \(job.id) cannot run: it was aborted, or they were not LOADED."
            )
        }
        try checkSessions(job, job.spec.work.targets)
    }

    private func checkTakeBack(
        _ job: Job,
        _ facts: JournalFacts,
        _ isTargetFenced: Bool
    ) throws(Problem) {
        if facts.isCommitted {
            guard isTargetFenced else {
                throw Problem(
                    .jobCommitted,
                    "Job \(job.id) is committed: before its source may run again the targets must be "
                        + "fenced (target_fenced)."
                )
            }
            for target in job.spec.work.targets {
                guard let session = session(of: job, on: target) else { continue }
                var facts = Problem.Facts(device: target)
                facts.session = session.record.id
                throw Problem(
                    .jobCommitted,
                    "Job \(job.id) is committed: before its source may run again the session on "
                        + "\(target) must be closed.",
                    facts
                )
            }
        }
        try checkSessions(job, job.spec.work.sources)
    }

    private func checkSessions(_ job: Job, _ devices: [DeviceID]) throws(Problem) {
        for device in devices where session(of: job, on: device) == nil {
            throw Problem(
                .noSession,
                "\(device) has no session any more: its content is gone.",
                Problem.Facts(device: device)
            )
        }
        guard !devices.isEmpty else {
            throw Problem(.invalidField, "The job has no such side.")
        }
    }

    /// Lets the job's machine go on from where it was left.
    private func goOn(
        _ job: Job,
        _ facts: JournalFacts,
        _ side: MayRun
    ) throws(Problem) -> JobView {
        // Those of its devices that it still has; what was opened since is somebody else's.
        let devices = job.spec.work.devices.filter { session(of: job, on: $0) != nil }
        guard locks.passAll(devices, from: .indeterminate(job.id), to: .job(job.id)) else {
            throw Problem(.deviceBusy, "A session of job \(job.id) is being closed just now.")
        }
        let members = members(of: job)
        let machine = TransferMachine(
            resolving: plan(of: job, members),
            side,
            facts,
            sources: survivors(job, .source),
            targets: survivors(job, .target)
        )
        jobTable.forget(job.id)
        goOn(job, machine, members, .resolved(side))
        return try self.job(job.id)
    }

    private func wholeJournal(of id: JobID) throws(Problem) -> [StoredJournalEntry] {
        var lines: [StoredJournalEntry] = []
        while true {
            let page = try store.journal(of: id, after: lines.last?.sequence ?? 0, limit: 1000)
            guard !page.isEmpty else { return lines }
            lines += page
        }
    }
}
