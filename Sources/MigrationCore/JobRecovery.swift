/// What a job's journal proves after the daemon died with the job.
package struct JournalFacts: Hashable, Sendable {
    package var isStarted = false
    /// Whether a device was, or may have been, moved out of where it was.
    package var didTouchDevices = false
    package var isCommitted = false
    /// Whether the last SET that starts the targets was acknowledged.
    package var didTargetRun = false

    package init() {}

    package init(_ lines: some Sequence<JournalEntry.Line>) {
        for line in lines { note(line) }
    }

    package mutating func note(_ line: JournalEntry.Line) {
        switch line {
        case .intent(_, let device, _):
            isStarted = true
            if device != nil { didTouchDevices = true }
        case .commit: isCommitted = true
        case .done("set", _, let arc?, _) where isCommitted && arc.to == .running:
            didTargetRun = true
        default: break
        }
    }
}

extension JobSpec.Work {
    /// How a job ends that the daemon's death interrupted, when nothing kept its devices open: the
    /// descriptors were closed, and with the last one of a device its content went.
    package func recovered(_ facts: JournalFacts) -> (state: JobState, mayRun: MayRun) {
        guard facts.isCommitted else {
            let text =
                facts.didTouchDevices
                ? "The daemon died before the job was decided; its devices were closed with it."
                : "The daemon died before the job touched a device."
            return (.failed(Problem(.daemonDied, text)), .nobody)
        }
        guard facts.didTargetRun else {
            let text =
                "The daemon died after the commit and before every target ran. The source must "
                + "not run; whether a target did is not known."
            return (.indeterminate(Problem(.daemonDied, text)), .unknown)
        }
        let text = "The targets ran; then the daemon died and their content was lost with it."
        return (.failed(Problem(.contentLost, text)), .nobody)
    }
}
