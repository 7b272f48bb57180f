internal import Dispatch
package import MigrationCore
internal import MigrationPorts
internal import StateTransfer
internal import Synchronization

extension Engine {
    /// Checks, locks the devices, stores and starts a job.
    ///
    /// Blocking.
    package func submit(_ spec: JobSpec, requestedBy: String) throws(Problem) -> JobView {
        try submit(spec, requestedBy, nil) { _ in StoreChange() }
    }

    /// The same, answered once: a later request with the same key gets the same answer.
    ///
    /// `answer` shows the job as it is accepted. Blocking. Throws `idempotency-in-flight`,
    /// `idempotency-mismatch`.
    package func submit(
        _ spec: JobSpec,
        requestedBy: String,
        trace: TraceParent?,
        once request: KeyedRequest?,
        answer: (JobView) throws(Problem) -> RequestAnswer
    ) throws(Problem) -> GivenAnswer {
        try once(request) { keeping throws(Problem) in
            var given: RequestAnswer?
            let accepted = try submit(spec, requestedBy, trace) { view throws(Problem) in
                var change = StoreChange()
                guard let keeping else { return change }
                let kept = keeping.kept(try answer(view))
                given = kept.answer
                change.keptAnswers = [kept]
                return change
            }
            if let given { return given }
            return try answer(accepted)
        }
    }

    /// `extra` is what is stored with the job, by how it will be seen.
    private func submit(
        _ spec: JobSpec,
        _ requestedBy: String,
        _ trace: TraceParent?,
        storing extra: (JobView) throws(Problem) -> StoreChange
    ) throws(Problem) -> JobView {
        try checkAccepting()
        let admission = admission
        var findings = Findings()
        admission.checkShape(of: spec.work, &findings)
        try findings.check()
        let id = try newJobID(spec)
        try reservePlace()
        // What was taken for the job is given back when it does not begin.
        var givingBack: [() -> Void] = [{ self.workers.giveBackPlace() }]
        do throws(Problem) {
            let devices = spec.work.devices
            try locks.acquire(devices, for: .job(id))
            givingBack.append { self.locks.release(devices, from: .job(id)) }
            if case .restore(let image, _, let acceptCopy, _) = spec.work {
                try catalogue.beginUse(of: image, by: id, isCopyAccepted: acceptCopy)
                givingBack.append { self.catalogue.endUse(of: image, by: id) }
            }
            let admitted = try admission.admit(spec)
            let job = makeJob(id, spec, requestedBy, trace, admitted)
            guard jobTable.insert(job) else { throw Self.exists(id) }
            givingBack.append { self.jobTable.remove(id) }
            // Now that an upload of this name would see the job.
            try checkImageName(of: id, spec.work)
            // Again, for a stop that began meanwhile: it sees the job in the table, or is seen.
            try checkAccepting()
            let accepted = try job.accept(with: extra)
            start(job, admitted.members)
            return accepted
        } catch {
            for giveBack in givingBack.reversed() { giveBack() }
            throw error
        }
    }

    /// An active job from memory or a past one from the store.
    ///
    /// Blocking.
    package func job(_ id: JobID) throws(Problem) -> JobView {
        if let view = recentJob(id) { return view }
        if let job = try store.job(id) { return Self.view(of: job) }
        throw Problem(.notFound, "There is no job \(id).")
    }

    /// An active or recently finished job from memory; nil when only the store may know it.
    package func recentJob(_ id: JobID) -> JobView? { jobTable.job(id)?.view }

    /// The views of one stretch of a walk through active and past jobs that `isWanted` says yes to.
    ///
    /// `end` is where the walk goes on when it had to stop; nil when it came to the end. Blocking.
    package func jobs(
        _ walk: JobWalk,
        where isWanted: (JobView) -> Bool
    ) throws(Problem) -> (jobs: [(place: JobPlace, view: JobView)], end: JobPlace?) {
        var walk = walk
        walk.scanLimit = min(walk.scanLimit, configuration.jobScanLimit)
        var views: [JobView] = []
        let stretch = try store.jobs(walk) { job in
            let view = recentJob(job.id) ?? Self.view(of: job)
            guard isWanted(view) else { return false }
            views.append(view)
            return true
        }
        return (zip(stretch.jobs, views).map { ($0.place, $1) }, stretch.end)
    }

    /// Asks a job to be called off.
    ///
    /// Blocking. Throws `job-committed` after the commit, `job-finished` after the end.
    package func cancel(_ id: JobID) throws(Problem) -> JobView {
        let job = try active(id)
        try job.cancel()
        workers.withdraw(id)
        return job.view
    }

    /// Opens the gate of a job in pre-copy.
    ///
    /// Blocking. Throws `not-awaiting-switchover`.
    package func switchOver(_ id: JobID) throws(Problem) -> JobView {
        let job = try active(id)
        try job.switchOver()
        return job.view
    }

    /// Gives a job that is not committed other limits.
    ///
    /// `revisions` are those of the limits the caller means. Blocking. Throws `precondition-failed`,
    /// `job-committed`, `job-finished`.
    package func changeLimits(
        of id: JobID,
        to limits: JobSpec.Limits,
        ifRevision revisions: [UInt64]?
    ) throws(Problem) -> JobView {
        let job = try active(id)
        try job.changeLimits(limits, ifRevision: revisions)
        deadlines.withLock { $0[id] }?.move(toSeconds: limits.completionTimeoutSeconds)
        return job.view
    }

    /// Lines of a job's journal after a sequence number.
    ///
    /// Blocking.
    package func journal(
        of id: JobID,
        after sequence: Int64,
        limit: Int
    ) throws(Problem) -> [StoredJournalEntry] {
        _ = try job(id)
        return try store.journal(of: id, after: sequence, limit: limit)
    }

    /// Calls `reply` once: at once when the job's generation is past `generation` or the job is not
    /// in memory, else when it advances or after `seconds`.
    ///
    /// Never blocks.
    package func awaitChange(
        of id: JobID,
        after generation: UInt64,
        seconds: Int,
        reply: @escaping @Sendable () -> Void
    ) {
        feed.wait(
            for: id,
            after: generation,
            seconds: seconds,
            current: { jobTable.job(id).flatMap { $0.job.state.isTerminal ? nil : $0.generation } },
            reply: reply
        )
    }

    // MARK: Admission

    /// The rules for jobs, on what there is now.
    var admission: JobAdmission {
        JobAdmission(
            backends: backends,
            sessions: sessionTable,
            images: catalogue,
            memberLimit: workers.workerCount
        )
    }

    /// Throws `shutting-down` once a stop began.
    func checkAccepting() throws(Problem) {
        guard !isStopping.withLock({ $0 }) else {
            throw Problem(.shuttingDown, "The daemon is stopping and takes no more work.")
        }
    }

    private func newJobID(_ spec: JobSpec) throws(Problem) -> JobID {
        guard let asked = spec.id else { return try .new("job") }
        try checkUnused(asked)
        return asked
    }

    /// Throws `job-exists` when there is a job of this name.
    func checkUnused(_ id: JobID) throws(Problem) {
        guard jobTable.job(id) == nil, try store.job(id) == nil else { throw Self.exists(id) }
    }

    /// Takes a place for a job among those that wait; throws `overloaded` when there is none.
    func reservePlace() throws(Problem) {
        guard !workers.reserve() else { return }
        metrics.overloads.of("jobs").add()
        throw Self.noPlace
    }

    /// What a job is refused with for which there is no place to work or wait.
    static var noPlace: Problem {
        var facts = Problem.Facts()
        facts.retryAfterSeconds = 5
        return Problem(.overloaded, "Too many jobs wait for a worker.", facts)
    }

    private static func exists(_ id: JobID) -> Problem {
        var facts = Problem.Facts()
        facts.blockingJob = id
        facts.pointer = "/id"
        return Problem(.jobExists, "There is a job \(id) already.", facts)
    }

    private func makeJob(
        _ id: JobID,
        _ spec: JobSpec,
        _ requestedBy: String,
        _ trace: TraceParent?,
        _ admitted: JobAdmission.Admitted
    ) -> ActiveJob {
        var job = Job(id: id, spec: spec, requestedBy: requestedBy, createdAt: clock.timestamp())
        job.trace = trace
        job.image = admitted.members.image?.id
        job.devices = admitted.members.sessions.map { side, _, session in
            var device = JobDevice(device: session.device.device, side: side)
            device.session = session.record.id
            device.content = session.record.content
            return device
        }
        let switchover = SwitchoverDecision(
            mode: spec.switchoverMode,
            downtimeLimitMilliseconds: spec.limits.downtimeMilliseconds,
            setNanoseconds: expectedSets(of: admitted)
        )
        let machine = TransferMachine(
            plan: admitted.plan,
            switchover: switchover,
            sources: admitted.members.flags(.source),
            targets: admitted.members.flags(.target)
        )
        return activeJob(job, machine, admitted.members)
    }

    func activeJob(
        _ job: Job,
        _ machine: TransferMachine,
        _ members: JobMembers
    ) -> ActiveJob {
        ActiveJob(
            job,
            machine: machine,
            devices: members.sessions.map(\.session.device),
            limiter: members.limiter,
            store: store,
            feed: feed,
            events: events,
            clock: clock
        )
    }

    /// What the SETs of a downtime are expected to take, as far as that was learned.
    func expectedSets(of admitted: JobAdmission.Admitted) -> UInt64? {
        setDurations.withLock { durations in
            durations.downtime(
                of: admitted.plan,
                sources: admitted.members.drivers(.source),
                targets: admitted.members.drivers(.target)
            )
        }
    }

    /// Lets a stored job run when there is a free worker for each of its devices.
    func start(_ job: ActiveJob, _ members: JobMembers) {
        // What was begun before has to be brought to its end.
        let isWithdrawable = job.isUnbegun
        let startedAt = clock.monotonicNanoseconds()
        workers.lease(
            max(1, members.all.count),
            for: job.id,
            isWithdrawable: isWithdrawable
        ) { lease in
            guard let lease else { return self.endUnbegun(job, members) }
            self.metrics.queueWaits.of(job.spec.work.kind.rawValue)
                .observe(nanoseconds: self.clock.monotonicNanoseconds() - startedAt)
            lease.crew.queues[0].async {
                self.run(job, members, lease.crew)
                self.workers.release(lease)
            }
        }
        // Called off before it waited, so that nobody could withdraw it.
        if job.isInterrupted { workers.withdraw(job.id) }
    }

    private func active(_ id: JobID) throws(Problem) -> ActiveJob {
        if let job = jobTable.job(id) { return job }
        guard let past = try store.job(id) else {
            throw Problem(.notFound, "There is no job \(id).")
        }
        throw Problem(.jobFinished, "Job \(id) has ended: \(past.state.name).")
    }

    private static func view(of job: Job) -> JobView {
        JobView(
            job: job,
            progress: nil,
            stuckIn: nil,
            switchoverBlockedBy: [],
            isCancellable: false
        )
    }
}
