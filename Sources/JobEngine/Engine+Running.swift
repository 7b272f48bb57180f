internal import MigrationCore
internal import MigrationPorts
internal import StateTransfer
internal import Synchronization

/// The run of a job on its worker, and what is true after it.
extension Engine {
    func run(_ job: ActiveJob, _ members: JobMembers, _ crew: Crew) {
        let now = clock.timestamp()
        job.recordAnyway { record in
            record.startedAt = record.startedAt ?? now
            if record.state == .queued { record.state = .running }
        }
        let transfer = TransferMetrics(job, members, metrics, clock)
        let runner = JobRunner(
            job: job,
            members: members,
            crew: crew,
            release: { self.release($0) },
            unhold: { self.unhold($0) },
            images: imageFiles,
            clock: clock,
            metrics: metrics,
            transfer: transfer,
            kernelRelease: SystemNames.current.kernelRelease,
            version: configuration.version,
            abortTryLimit: configuration.abortTryLimit
        )
        let deadline = JobDeadline(on: timers, clock: clock) { [weak job] in
            job?.didNotComplete()
        }
        deadlines.withLock { $0[job.id] = deadline }
        deadline.move(toSeconds: job.job.limits.completionTimeoutSeconds)
        metrics.didBegin(transfer)
        let outcome = runner.run()
        metrics.didEnd(transfer)
        metrics.didRun(job.job)
        deadlines.withLock { $0[job.id] = nil }
        deadline.cancel()
        finish(job, members, outcome)
    }

    /// Ends a job that was called off while it waited for a worker.
    func endUnbegun(_ job: ActiveJob, _ members: JobMembers) {
        guard case .finish(let outcome) = job.firstInstruction else { return }
        finish(job, members, outcome)
    }

    private func finish(_ job: ActiveJob, _ members: JobMembers, _ outcome: TransferOutcome) {
        let now = clock.timestamp()
        var change = StoreChange()
        for (side, number, session) in members.sessions {
            let record = settle(session, side, outcome.fate(of: side, number), job, members)
            change.sessions.append(record)
            change.events += StoreChange(record, at: now).events
        }
        if let image = usedImage(members, outcome), !image.sourceResumed {
            change.events.append(Event(at: now, topic: .imageChanged(image.id, exists: true)))
        }
        change.setDurations = learn(from: job.job, members)
        // Whoever sees the job ended finds its devices free.
        job.recordAnyway([.finished(state: outcome.state.name)], .machine, with: change) { record in
            record.state = outcome.state
            record.mayRun = outcome.mayRun
            record.warnings += outcome.warnings
            record.finishedAt = now
            // A downtime that nobody saw the end of has no length.
            if case .indeterminate = outcome.state { record.actualDowntimeNanoseconds = nil }
            for (side, _, session) in members.sessions {
                record.noteContent(session.record.content, of: session.device.device, side)
            }
        } settling: {
            let expected = job.view.progress?.expectedDowntimeNanoseconds
            metrics.didEnd(job.job, outcome.state, expectedDowntimeNanoseconds: expected)
            letGo(job, members, outcome)
            jobTable.didEnd(job.id)
        }
        tidyStore()
    }

    /// What the job's SETs took, for the downtimes of later ones.
    private func learn(from job: Job, _ members: JobMembers) -> [SetDuration] {
        setDurations.withLock { durations in
            members.sessions.flatMap { side, _, session in
                job.arcs(of: session.device.device, side).filter { $0.errno == nil }.map { time in
                    durations.learn(
                        session.driverName,
                        Problem.ArcNames(from: time.from, to: time.to),
                        nanoseconds: time.nanoseconds
                    )
                }
            }
        }
    }

    /// Says in the session what became of its content.
    private func settle(
        _ session: OpenSession,
        _ side: Side,
        _ fate: ContentFate,
        _ job: ActiveJob,
        _ members: JobMembers
    ) -> SessionRecord {
        session.update { record in
            if fate != .untouched { record.stoppedImage = nil }
            if let image = stoppedImage(job.job, members) { record.stoppedImage = image }
            guard fate != .untouched else { return }
            record.isReproducible = false
            record.barredBy = nil
            switch fate {
            case .untouched: break
            case .emptied: record.content = .empty
            case .loaded: record.content = .loaded
            case .lost:
                record.content = .lost
                record.note = "The content was lost in job \(job.id)."
            case .uncertain:
                // A source that is still open may be whole; a target was overwritten, and a device
                // that was to be reset or was closed was given up.
                let isGivenUp = job.spec.work.kind == .reset || record.status != .open
                if side == .target || isGivenUp { record.content = .lost }
                record.note =
                    "content_uncertain: job \(job.id) failed where the device must not fail."
            }
        }
    }

    /// The image that a save has stopped its sources for.
    private func stoppedImage(_ job: Job, _ members: JobMembers) -> ImageID? {
        guard let id = members.sealed?.id ?? job.image, case .save(_, .stop) = job.spec.work else {
            return nil
        }
        return id
    }

    /// Frees what the job held; devices of an indeterminate one that are open only when their
    /// sessions end.
    private func letGo(_ job: ActiveJob, _ members: JobMembers, _ outcome: TransferOutcome) {
        settleImages(job, members, outcome)
        for (_, _, session) in members.sessions where session.record.status != .open {
            sessionTable.end(session)
        }
        for device in job.spec.work.devices {
            if case .indeterminate = outcome.state, session(of: job.job, on: device) != nil {
                locks.pass([device], from: .job(job.id), to: .indeterminate(job.id))
                continue
            }
            locks.release([device], from: .job(job.id))
            if leaving.withLock({ $0.remove(device) }) != nil { leave(device) }
        }
    }

    private func settleImages(
        _ job: ActiveJob,
        _ members: JobMembers,
        _ outcome: TransferOutcome
    ) {
        if let image = members.sealed {
            catalogue.insert([image])
        }
        if var image = usedImage(members, outcome) {
            image.sourceResumed = true
            catalogue.insert([image])
        }
        if let image = members.image { catalogue.endUse(of: image.id, by: job.id) }
    }

    /// The image whose content runs now, or may.
    private func usedImage(_ members: JobMembers, _ outcome: TransferOutcome) -> ImageRecord? {
        switch outcome.state {
        case .succeeded, .indeterminate: members.image
        default: nil
        }
    }
}
