/// What a job's journal proves after the daemon died with the job.
package struct JournalFacts: Hashable, Sendable {
    package var isStarted = false
    /// Whether a device was, or may have been, moved out of where it was.
    package var didTouchDevices = false
    package var isCommitted = false
    /// Targets whose SET to RUNNING was acknowledged, and none away from it since.
    package var runningTargets: Set<DeviceID> = []
    /// Whether the image of a save is durable and in the catalogue.
    package var isImageSealed = false
    /// Whether a line cannot be read, which may have been any.
    package var isIncomplete = false

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
        case .done("set", let device?, let arc?, _) where isCommitted:
            if arc.to == .running {
                runningTargets.insert(device)
            } else {
                runningTargets.remove(device)
            }
        case .done("seal_image", _, _, _): isImageSealed = true
        case .unreadable: isIncomplete = true
        default: break
        }
    }
}

extension JobSpec.Work {
    /// The devices that take content, in the order of the request.
    package var targets: [DeviceID] {
        switch self {
        case .save, .reset: []
        case .restore(_, let members, _, _): members.map(\.target)
        case .migrate(let pairs, _): pairs.map(\.target)
        }
    }

    /// How a job ends that the daemon's death interrupted, when nothing kept its devices open: the
    /// descriptors were closed, and with the last one of a device its content went.
    package func recovered(_ facts: JournalFacts) -> (state: JobState, mayRun: MayRun) {
        if case .save = self, facts.isImageSealed { return (.succeeded, .nobody) }
        guard facts.isCommitted || !facts.isIncomplete else {
            let text =
                "The daemon died, and a line of the job's journal cannot be read: whether the job "
                + "was committed is not known."
            return (.indeterminate(Problem(.storeFailed, text)), .unknown)
        }
        guard facts.isCommitted else {
            let text =
                facts.didTouchDevices
                ? "The daemon died before the job was decided; its devices were closed with it."
                : "The daemon died before the job touched a device."
            return (.failed(Problem(.daemonDied, text)), .nobody)
        }
        guard facts.runningTargets.isSuperset(of: targets) else {
            let text =
                "The daemon died after the commit and before every target ran. The source must "
                + "not run; whether a target did is not known."
            return (.indeterminate(Problem(.daemonDied, text)), .unknown)
        }
        let text = "The targets ran; then the daemon died and their content was lost with it."
        return (.failed(Problem(.contentLost, text)), .nobody)
    }
}
