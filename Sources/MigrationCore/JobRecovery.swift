/// What a job's journal proves after the daemon died with the job.
package struct JournalFacts: Hashable, Sendable {
    package var isStarted = false
    package var isCommitted = false
    package var isAborted = false
    package var isCancelRequested = false
    /// Whether every target was confirmed to hold the whole of what was sent.
    package var isLoaded = false
    /// Targets whose SET to RUNNING was acknowledged, and none away from it since.
    package var runningTargets: Set<DeviceID> = []
    /// Whether the image of a save is durable and in the catalogue.
    package var isImageSealed = false
    /// Who somebody let run when the job was indeterminate.
    package var resolved: MayRun?
    /// Whether a line cannot be read, which may have been any.
    package var isIncomplete = false
    /// The phase of the last line.
    private(set) package var phase: JobPhase?
    /// How many lines there are: the job's generation advanced at most once for each.
    private(set) package var lineCount: UInt64 = 0
    private var places: [DeviceID: Place] = [:]

    /// Where a device was last known to be, and where it was sent since.
    private struct Place: Hashable {
        var known = DeviceState.running
        var arcs: [Problem.ArcNames] = []
        var isResetBegun = false
    }

    package init() {}

    package init(_ lines: some Sequence<JournalEntry.Line>) {
        for line in lines { note(line) }
    }

    /// Whether a device was, or may have been, moved out of where it was.
    package var didTouchDevices: Bool { !places.isEmpty }

    package func isTouched(_ device: DeviceID) -> Bool { places[device] != nil }

    package mutating func note(_ entry: JournalEntry) {
        note(entry.line)
        phase = entry.phase ?? phase
        lineCount += 1
    }

    package mutating func note(_ line: JournalEntry.Line) {
        switch line {
        case .intent(let action, let device, let arc):
            isStarted = true
            if let device { begin(action, device, arc) }
        case .commit: isCommitted = true
        case .abort: isAborted = true
        case .cancelRequested: isCancelRequested = true
        case .resolved(let side): resolved = side
        case .done(let action, let device?, let arc, _): didDo(action, device, arc)
        case .done("seal_image", _, _, _): isImageSealed = true
        case .done("confirm_loaded", _, _, _): isLoaded = true
        case .unreadable: isIncomplete = true
        default: break
        }
    }

    /// The states a device can be in, if nobody but the dead daemon drove it.
    package func possibleStates(
        of device: DeviceID,
        flags: MigrationFlags
    ) -> Set<DeviceState> {
        guard let place = places[device] else { return [.running] }
        var states: Set<DeviceState> = [place.known]
        for arc in place.arcs {
            let from = arc.from ?? place.known
            states.insert(from)
            let path = try? MigrationStateMachine.path(from: from, to: arc.to, flags: flags)
            states.formUnion(path?.arcs.map(\.to) ?? [arc.to])
        }
        if place.isResetBegun { states.insert(.running) }
        return states
    }

    private mutating func begin(
        _ action: String,
        _ device: DeviceID,
        _ arc: Problem.ArcNames?
    ) {
        var place = places[device] ?? Place()
        if let arc { place.arcs.append(arc) }
        if action == "reset" || action == "close" { place.isResetBegun = true }
        places[device] = place
    }

    private mutating func didDo(
        _ action: String,
        _ device: DeviceID,
        _ arc: Problem.ArcNames?
    ) {
        switch (action, arc) {
        case ("set", let arc?):
            places[device] = Place(known: arc.to)
            guard isCommitted else { return }
            if arc.to == .running {
                runningTargets.insert(device)
            } else {
                runningTargets.remove(device)
            }
        case ("reset", _), ("close", _): places[device] = Place()
        default: break
        }
    }

    /// Why a job ends that the daemon's death interrupted.
    package var cause: Problem {
        if isCancelRequested {
            return Problem(.cancelled, "The job was cancelled on request; then the daemon died.")
        }
        return Problem(
            .daemonDied,
            didTouchDevices
                ? "The daemon died before the job was decided."
                : "The daemon died before the job touched a device."
        )
    }

    static let unreadable = Problem(
        .storeFailed,
        "The daemon died, and a line of the job's journal cannot be read: whether the job was "
            + "committed is not known."
    )
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

    /// The devices that something is taken from, in the order of the request.
    package var sources: [DeviceID] {
        switch self {
        case .save(let sources, _): sources
        case .restore: []
        case .migrate(let pairs, _): pairs.map(\.source)
        case .reset(let devices): devices
        }
    }

    /// How a job ends that the daemon's death interrupted, when nothing of ferryd's kept its devices
    /// open: the descriptors were closed, and with the last one of a device its content went.
    ///
    /// `mayOwnersLive` says that the programs which handed the sources in may have descriptors of
    /// their own, and with them the content.
    package func recovered(
        _ facts: JournalFacts,
        mayOwnersLive: Bool = false
    ) -> (state: JobState, mayRun: MayRun) {
        let sourceRuns: MayRun = mayOwnersLive ? .unknown : .nobody
        if case .save = self, facts.isImageSealed { return (.succeeded, sourceRuns) }
        guard facts.isCommitted || !facts.isIncomplete else {
            return (.indeterminate(JournalFacts.unreadable), .unknown)
        }
        guard facts.isCommitted else {
            let text =
                facts.didTouchDevices
                ? "The daemon died before the job was decided; its devices were closed with it."
                : "The daemon died before the job touched a device."
            return (.failed(Problem(.daemonDied, text)), sourceRuns)
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
