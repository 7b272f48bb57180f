internal import APISchema
internal import MigrationCore

extension JournalLineDTO {
    init(_ stored: StoredJournalEntry, of job: JobID) {
        let entry = stored.entry
        self.init(
            sequence: stored.sequence,
            at: entry.at.rfc3339,
            phase: entry.phase?.rawValue,
            line: entry.line.name
        )
        let instance = "/v1/jobs/\(job.text)"
        switch entry.line {
        case .accepted, .cancelRequested, .switchoverRequested, .commit: break
        case .intent(let action, let device, let arc):
            describe(action, device, arc)
        case .done(let action, let device, let arc, let nanoseconds):
            describe(action, device, arc)
            durationUs = Int64(microsecondsOf: nanoseconds)
        case .failed(let action, let device, let arc, let problem):
            describe(action, device, arc)
            self.problem = ProblemDTO(problem, instance: instance)
        case .abort(let problem): self.problem = ProblemDTO(problem, instance: instance)
        case .finished(let state): self.state = state
        case .recovered(let note), .switchoverForced(let note): self.note = note
        case .limitsChanged(let limits): self.limits = JobLimitsDTO(limits)
        case .resolved(let mayRun): self.mayRun = mayRun.rawValue
        case .unreadable(let reason): self.note = reason
        }
    }

    private mutating func describe(
        _ action: String,
        _ device: DeviceID?,
        _ arc: Problem.ArcNames?
    ) {
        self.action = action
        self.device = device?.text
        self.arc = arc.map(ArcDTO.init)
    }
}

extension JournalEntry.Line {
    fileprivate var name: String {
        switch self {
        case .accepted: "accepted"
        case .intent: "intent"
        case .done: "done"
        case .failed: "failed"
        case .cancelRequested: "cancel_requested"
        case .switchoverRequested: "switchover_requested"
        case .switchoverForced: "switchover_forced"
        case .limitsChanged: "limits_changed"
        case .resolved: "resolved"
        case .abort: "abort"
        case .commit: "commit"
        case .finished: "finished"
        case .recovered: "recovered"
        case .unreadable: "unreadable"
        }
    }
}
