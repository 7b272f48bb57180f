package import MigrationCore
internal import MigrationPorts
package import StateTransfer

/// What a daemon does first: settles what its predecessor left, by what the store proves.
package struct Recovery: Sendable {
    /// Journal lines read at a time.
    private static let journalPage = 1000

    /// Jobs that had not ended and are settled by what the store proves alone.
    package private(set) var jobs: [Job] = []
    /// Jobs that had not ended, some devices of which outlived the daemon: they go on.
    private(set) var unfinished: [(job: Job, facts: JournalFacts)] = []
    /// Sessions that are open again, because a keeper held their files.
    private(set) var revived: [OpenSession] = []
    /// Jobs that ended indeterminate and hold devices that are open again.
    private(set) var unresolved: [Job] = []
    /// Sessions that were open: their descriptors went with the process.
    package private(set) var lostSessions: [SessionRecord] = []
    /// Every session there was, oldest first.
    private(set) var sessions: [SessionRecord] = []
    let images: [ImageRecord]
    /// What was found beside the images of the catalogue.
    package let sweep: ImageDirectory.Sweep

    private init(images: [ImageRecord], sweep: ImageDirectory.Sweep) {
        self.images = images
        self.sweep = sweep
    }

    /// Settles everything in one transaction.
    ///
    /// Blocking.
    static func run(
        store: any JobStore,
        images files: ImageDirectory,
        clock: any HostClock,
        revived: [OpenSession] = [],
        held: [SessionID: Problem] = [:]
    ) throws(Problem) -> Self {
        let now = clock.timestamp()
        let images = try store.images()
        var recovery = Self(
            images: images,
            sweep: try files.sweep(keeping: Set(images.map(\.id)))
        )
        recovery.revived = revived
        let sessions = try store.sessions()
        var change = StoreChange()
        try recovery.settleJobs(store, sessions, &change, at: now)
        recovery.settleSessions(sessions, held, &change, at: now)
        if !change.jobs.isEmpty || !change.sessions.isEmpty {
            try store.apply(change, .machine)
        }
        return recovery
    }

    private mutating func settleJobs(
        _ store: any JobStore,
        _ sessions: [SessionRecord],
        _ change: inout StoreChange,
        at now: Timestamp
    ) throws(Problem) {
        let alive = Set(revived.map(\.device.device))
        let ownersMayLive = Set(
            sessions.filter { $0.status == .open && $0.origin == .adopted }.map(\.device)
        )
        for job in try store.unfinishedJobs() {
            let facts = try Self.facts(of: job.id, in: store)
            let work = job.spec.work
            if work.kind != .reset, work.devices.contains(where: alive.contains) {
                unfinished.append((job.advanced(by: facts), Self.completed(facts, job)))
                continue
            }
            if work.kind == .reset { noteReset(of: work.devices, facts) }
            let settled = Self.settled(
                job,
                facts,
                mayOwnersLive: work.sources.contains(where: ownersMayLive.contains),
                at: now
            )
            jobs.append(settled)
            change.note(settled, at: now)
        }
        guard !alive.isEmpty else { return }
        unresolved = try store.unresolvedJobs().filter { job in
            job.spec.work.devices.contains(where: alive.contains)
        }
    }

    /// A RESET that was begun may have been made.
    private func noteReset(of devices: [DeviceID], _ facts: JournalFacts) {
        for session in revived
        where devices.contains(session.device.device) && facts.isTouched(session.device.device) {
            _ = session.update { record in
                record.content = .lost
                record.note = "The daemon died in the middle of a reset: content_lost."
            }
        }
    }

    private mutating func settleSessions(
        _ sessions: [SessionRecord],
        _ held: [SessionID: Problem],
        _ change: inout StoreChange,
        at now: Timestamp
    ) {
        let alive = Dictionary(revived.map { ($0.record.id, $0.record) }) { first, _ in first }
        for session in sessions {
            if let record = alive[session.id] {
                change.sessions.append(record)
                continue
            }
            guard session.status == .open else {
                self.sessions.append(session)
                continue
            }
            if let problem = held[session.id] {
                // The next start tries again.
                var session = session
                session.note = "The service manager holds its files, not ferryd: \(problem.detail)"
                self.sessions.append(session)
                change.sessions.append(session)
                continue
            }
            let lost = Self.lost(session, at: now)
            self.sessions.append(lost)
            lostSessions.append(lost)
            change.sessions.append(lost)
            change.events += StoreChange(lost, at: now).events
        }
        self.sessions.sort { $0.openedAt < $1.openedAt }
    }

    private static func facts(
        of job: JobID,
        in store: any JobStore
    ) throws(Problem) -> JournalFacts {
        var facts = JournalFacts()
        var last: Int64 = 0
        while true {
            let page = try store.journal(of: job, after: last, limit: journalPage)
            for line in page { facts.note(line.entry) }
            guard let end = page.last else { return facts }
            last = end.sequence
        }
    }

    /// The seal writes the image into the record in one transaction with the catalogue.
    private static func completed(_ facts: JournalFacts, _ job: Job) -> JournalFacts {
        var facts = facts
        if job.spec.work.kind == .save, job.image != nil { facts.isImageSealed = true }
        return facts
    }

    private static func settled(
        _ job: Job,
        _ facts: JournalFacts,
        mayOwnersLive: Bool,
        at now: Timestamp
    ) -> Job {
        var job = job.advanced(by: facts)
        (job.state, job.mayRun) = job.spec.work.recovered(
            completed(facts, job),
            mayOwnersLive: mayOwnersLive
        )
        job.finishedAt = now
        job.generation += 1
        for index in job.devices.indices {
            job.devices[index].vfioState = nil
            if job.devices[index].content != .empty { job.devices[index].content = .lost }
        }
        return job
    }

    private static func lost(_ session: SessionRecord, at now: Timestamp) -> SessionRecord {
        var session = session
        session.status = .lost
        session.closedAt = now
        session.isReproducible = false
        if session.content != .empty { session.content = .lost }
        session.note =
            session.origin == .adopted
            ? "The daemon died and its descriptors were closed: content_lost, unless the device's "
                + "user still has its own open."
            : "The daemon died and the device was closed with it: content_lost."
        return session
    }
}

extension Job {
    /// The stored record of a job, brought to where its journal ends: steps are in that alone.
    fileprivate func advanced(by facts: JournalFacts) -> Job {
        var job = self
        job.generation += facts.lineCount
        job.phase = facts.phase ?? job.phase
        return job
    }
}

extension StoreChange {
    fileprivate mutating func note(_ job: Job, at now: Timestamp) {
        let change = StoreChange(
            job,
            [
                .recovered(note: job.state.problem?.detail ?? job.state.name),
                .finished(state: job.state.name),
            ],
            at: now
        )
        jobs += change.jobs
        journal += change.journal
        events += change.events
    }
}
