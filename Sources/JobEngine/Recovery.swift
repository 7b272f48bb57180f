package import MigrationCore
internal import MigrationPorts
package import StateTransfer

/// What a daemon does first: settles what its predecessor left, by what the store proves.
package struct Recovery: Sendable {
    /// Journal lines read at a time.
    private static let journalPage = 1000

    /// Jobs that had not ended, as they are settled now.
    package private(set) var jobs: [Job] = []
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
        clock: any HostClock
    ) throws(Problem) -> Self {
        let now = clock.timestamp()
        let images = try store.images()
        var recovery = Self(
            images: images,
            sweep: try files.sweep(keeping: Set(images.map(\.id)))
        )
        var change = StoreChange()
        for job in try store.unfinishedJobs() {
            let settled = Self.settled(job, try facts(of: job.id, in: store), at: now)
            recovery.jobs.append(settled)
            change.note(settled, at: now)
        }
        for session in try store.sessions() {
            guard session.status == .open else {
                recovery.sessions.append(session)
                continue
            }
            let lost = Self.lost(session, at: now)
            recovery.sessions.append(lost)
            recovery.lostSessions.append(lost)
            change.sessions.append(lost)
            change.events += StoreChange(lost, at: now).events
        }
        recovery.sessions.sort { $0.openedAt < $1.openedAt }
        if !change.jobs.isEmpty || !change.sessions.isEmpty {
            try store.apply(change, .machine)
        }
        return recovery
    }

    private static func facts(
        of job: JobID,
        in store: any JobStore
    ) throws(Problem) -> JournalFacts {
        var facts = JournalFacts()
        var last: Int64 = 0
        while true {
            let page = try store.journal(of: job, after: last, limit: journalPage)
            for line in page { facts.note(line.entry.line) }
            guard let end = page.last else { return facts }
            last = end.sequence
        }
    }

    private static func settled(_ job: Job, _ facts: JournalFacts, at now: Timestamp) -> Job {
        var job = job
        var facts = facts
        // The seal writes the image into the record in one transaction with the catalogue.
        if job.spec.work.kind == .save, job.image != nil { facts.isImageSealed = true }
        (job.state, job.mayRun) = job.spec.work.recovered(facts)
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

extension StoreChange {
    fileprivate mutating func note(_ job: Job, at now: Timestamp) {
        let lines: [JournalEntry.Line] = [
            .recovered(note: job.state.problem?.detail ?? job.state.name),
            .finished(state: job.state.name),
        ]
        jobs.append(job)
        journal += lines.map {
            JournalLine(job: job.id, entry: JournalEntry(at: now, phase: job.phase, line: $0))
        }
        events.append(
            Event(
                at: now,
                topic: .jobChanged(
                    job.id,
                    generation: job.generation,
                    state: job.state.name,
                    phase: job.phase
                )
            )
        )
    }
}
