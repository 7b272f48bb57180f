internal import MigrationCore
internal import MigrationPorts
internal import Synchronization

/// Jobs that go on although the daemon they began in died.
extension Engine {
    /// Puts what outlived the last daemon back on the tables, and lets its jobs go on.
    ///
    /// Called once, before anything else can be asked for.
    func takeUp(_ recovery: Recovery) {
        for session in recovery.revived { sessionTable.insert(session) }
        // Before anybody can ask for a device: the locks of the last daemon's jobs.
        for job in recovery.unresolved { lockOwn(job, .indeterminate(job.id)) }
        for (job, _) in recovery.unfinished { lockOwn(job, .job(job.id)) }
        for session in recovery.revived {
            session.device.session.onSignal { [weak self, weak session] signal in
                guard let self, let session else { return }
                didSignal(signal, session)
            }
        }
        for (job, facts) in recovery.unfinished { takeUp(job, facts) }
    }

    /// Goes on with a job: back before its decision, on behind it.
    private func takeUp(_ job: Job, _ facts: JournalFacts) {
        let members = members(of: job)
        let plan = plan(of: job, members)
        let (sources, targets) = (survivors(job, .source), survivors(job, .target))
        let machine =
            switch facts.resolved {
            case .source?, .target?:
                TransferMachine(
                    resolving: plan,
                    facts.resolved ?? .nobody,
                    facts,
                    sources: sources,
                    targets: targets
                )
            default: TransferMachine(resuming: plan, facts, sources: sources, targets: targets)
            }
        workers.takePlace()
        goOn(job, machine, members, .recovered(note: facts.cause.detail))
    }

    /// Locks the devices a job still has, one by one: what was opened since is not its own.
    private func lockOwn(_ job: Job, _ holder: DeviceLocks.Holder) {
        for device in job.spec.work.devices where session(of: job, on: device) != nil {
            do throws(Problem) {
                try locks.acquire([device], for: holder)
            } catch {
                startProblems.withLock { $0.append(error) }
            }
        }
    }

    /// The open session on a device, if it is the one the job has, or had, the device by.
    func session(of job: Job, on device: DeviceID) -> OpenSession? {
        guard let session = sessionTable.open(on: device) else { return nil }
        let own = job.devices.first { $0.device == device }?.session
        return own == nil || own == session.record.id ? session : nil
    }

    /// Lets a job run from where its machine is; its devices are locked and its place is reserved.
    func goOn(
        _ job: Job,
        _ machine: TransferMachine,
        _ members: JobMembers,
        _ line: JournalEntry.Line
    ) {
        var job = job
        for index in job.devices.indices {
            let device = job.devices[index].device
            job.devices[index].vfioState = nil
            if session(of: job, on: device) == nil, job.devices[index].content != .empty {
                job.devices[index].content = .lost
            }
        }
        let active = activeJob(job, machine, members)
        if let image = members.image {
            try? catalogue.beginUse(of: image.id, by: job.id, isCopyAccepted: true)
        }
        guard jobTable.insert(active) else { return }
        active.recordAnyway([line], .machine) { record in
            record.state = .running
            record.finishedAt = nil
        }
        start(active, members)
    }

    func survivors(_ job: Job, _ side: Side) -> [TransferMachine.Survivor] {
        let work = job.spec.work
        return (side == .source ? work.sources : work.targets).map { device in
            let session = session(of: job, on: device)
            let isLost = session?.record.content == .lost
            return TransferMachine.Survivor(
                device: device,
                flags: session?.device.session.support.flags ?? [],
                reported: isLost ? nil : session?.device.reportedState()
            )
        }
    }

    /// What a job works on with the devices it still has.
    func members(of job: Job) -> JobMembers {
        let open = { (device: DeviceID) in self.session(of: job, on: device) }
        let image = job.image.flatMap { catalogue.record($0) }
        switch job.spec.work {
        case .save(let sources, _):
            return JobMembers(
                sources.enumerated().map { JobMember($0.offset, source: open($0.element)) }
            )
        case .restore(_, let wanted, _, _):
            return JobMembers(
                wanted.enumerated().map { JobMember($0.offset, target: open($0.element.target)) },
                image: image
            )
        case .migrate(let pairs, _):
            return JobMembers(
                pairs.enumerated().map { number, pair in
                    JobMember(number, source: open(pair.source), target: open(pair.target))
                }
            )
        case .reset(let devices):
            return JobMembers(
                devices.enumerated().map { JobMember($0.offset, source: open($0.element)) }
            )
        }
    }

    /// The plan of a job by the devices it still has.
    func plan(of job: Job, _ members: JobMembers) -> TransferPlan {
        let flags = { (side: Side) in
            let flags = MigrationFlags.driving(members.flags(side))
            return flags.isEmpty ? MigrationFlags.stopCopy : flags
        }
        return switch job.spec.work {
        case .save(_, let after): .save(flags(.source), after: after)
        case .restore: .restore(flags(.target))
        case .migrate: .migrate(from: flags(.source), to: flags(.target))
        case .reset: .reset
        }
    }
}
