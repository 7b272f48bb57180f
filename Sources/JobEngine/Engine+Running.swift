internal import MigrationCore
internal import MigrationPorts
internal import StateTransfer
internal import Synchronization

/// The run of a job on its worker, and what is true after it.
extension Engine {
    func run(_ job: ActiveJob, _ members: JobMembers) {
        let now = clock.timestamp()
        job.recordAnyway { record in
            record.startedAt = now
            if record.state == .queued { record.state = .running }
        }
        let runner = JobRunner(
            job: job,
            members: members,
            store: store,
            images: imageFiles,
            clock: clock,
            kernelRelease: SystemNames.current.kernelRelease
        )
        let outcome = runner.run()
        finish(job, members, outcome)
    }

    private func finish(_ job: ActiveJob, _ members: JobMembers, _ outcome: TransferOutcome) {
        let now = clock.timestamp()
        var change = StoreChange()
        for (side, session) in members.sessions {
            let fate = side == .source ? outcome.source : outcome.target
            let record = settle(session, fate, job.id)
            change.sessions.append(record)
            change.events += StoreChange(record, at: now).events
        }
        if case .restore = job.spec.work, outcome.mayRun == .target, var image = members.image {
            // From now on the content runs somewhere: the next restore makes a copy.
            image.sourceResumed = true
            change.savedImages.append(image)
            catalogue.insert([image])
        }
        job.recordAnyway([.finished(state: outcome.state.name)], .machine, with: change) { record in
            record.state = outcome.state
            record.mayRun = outcome.mayRun
            record.warnings += outcome.warnings
            record.finishedAt = now
            for index in record.devices.indices {
                let session =
                    record.devices[index].side == .source ? members.source : members.target
                record.devices[index].content = session?.record.content
            }
        }
        if let image = members.sealed { catalogue.insert([image]) }
        if let image = members.image { catalogue.endUse(of: image.id, by: job.id) }
        letGo(job, members, outcome)
        jobTable.didEnd(job.id)
        tidyStore()
    }

    /// Never while a job runs, in whose downtime the checkpoint could fall. One that fails is made
    /// again after the next job.
    private func tidyStore() {
        guard jobTable.active.isEmpty else { return }
        try? perform { try? self.store.checkpoint() }
    }

    /// Says in the session what became of its content.
    private func settle(
        _ session: OpenSession,
        _ fate: ContentFate,
        _ job: JobID
    ) -> SessionRecord {
        session.update { record in
            switch fate {
            case .untouched: break
            case .emptied:
                record.content = .empty
                record.isReproducible = false
            case .loaded:
                record.content = .loaded
                record.isReproducible = false
            case .lost:
                record.content = .lost
                record.isReproducible = false
                record.note = "The content was lost in job \(job)."
            case .uncertain:
                record.isReproducible = false
                record.note =
                    "content_uncertain: job \(job) failed where the device must not fail."
            }
        }
    }

    /// Frees the devices; those of an indeterminate job only when their sessions end.
    private func letGo(_ job: ActiveJob, _ members: JobMembers, _ outcome: TransferOutcome) {
        for (_, session) in members.sessions where session.record.status != .open {
            sessionTable.end(session)
        }
        if case .indeterminate = outcome.state { return }
        for device in job.spec.work.devices {
            locks.release([device], from: .job(job.id))
            if leaving.withLock({ $0.remove(device) }) != nil { leave(device) }
        }
    }
}
