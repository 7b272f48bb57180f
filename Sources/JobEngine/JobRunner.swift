internal import MigrationCore
internal import MigrationPorts
internal import StateTransfer

/// Performs what a job's machine asks for, on the workers the job leased: journals the intent,
/// does it to every device side by side, journals the outcome, feeds it back.
struct JobRunner: Sendable {
    let job: ActiveJob
    let members: JobMembers
    let crew: Crew
    /// Closes a session's device, with all that holds it open.
    let release: @Sendable (OpenSession) -> Void
    /// Makes whoever else holds a session's device let it go.
    let unhold: @Sendable (OpenSession) -> Void
    let images: ImageDirectory
    let clock: any HostClock
    let metrics: EngineMetrics
    let transfer: TransferMetrics
    let kernelRelease: String
    let version: String
    let abortTryLimit: Int
    let meter: RateMeter

    init(
        job: ActiveJob,
        members: JobMembers,
        crew: Crew,
        release: @escaping @Sendable (OpenSession) -> Void,
        unhold: @escaping @Sendable (OpenSession) -> Void,
        images: ImageDirectory,
        clock: any HostClock,
        metrics: EngineMetrics,
        transfer: TransferMetrics,
        kernelRelease: String,
        version: String,
        abortTryLimit: Int
    ) {
        self.job = job
        self.members = members
        self.crew = crew
        self.release = release
        self.unhold = unhold
        self.images = images
        self.clock = clock
        self.metrics = metrics
        self.transfer = transfer
        self.kernelRelease = kernelRelease
        self.version = version
        self.abortTryLimit = abortTryLimit
        self.meter = RateMeter(clock: clock)
    }

    /// Runs the job to its end, which the caller writes down.
    func run() -> TransferOutcome {
        var stopwatch = PhaseStopwatch()
        sampleSize()
        var instruction = job.firstInstruction
        while true {
            switch instruction {
            case .finish(let outcome):
                stopwatch.end(at: clock.monotonicNanoseconds())
                job.sample { record, _ in stopwatch.write(into: &record) }
                return outcome
            case .perform(let step):
                if stopwatch.enter(
                    step.phase,
                    at: clock.monotonicNanoseconds(),
                    clock.timestamp()
                ) {
                    show(step, stopwatch)
                }
                instruction = job.advance(perform(step.action))
            }
        }
    }

    private func perform(_ action: TransferAction) -> TransferEvent {
        switch action {
        case .set(let side, let state): set(side, state)
        case .preCopyRound: preCopyRound()
        case .drain: drain()
        case .load: load()
        case .detach(let side): detach(side)
        case .reset(let side): reset(side)
        case .close(let side): close(side)
        case .verifyImage: verifyImage()
        case .createImage: plain(action) { () throws(ActionFailure) in try createImage() }
        case .confirmLoaded: confirmLoaded()
        case .discardImage: plain(action) { () throws(ActionFailure) in try discardImage() }
        case .sealImage: sealImage()
        case .commit: decide(.commit, with: imageInUse()) { $0.mayRun = .target }
        case .abort(let cause): abort(cause)
        }
    }

    /// Shows a new phase.
    ///
    /// It is stored with the action's own first line, so that the downtime has no transaction more
    /// for it; pre-copy rounds have no lines, and their readers are woken here.
    private func show(_ step: TransferStep, _ stopwatch: PhaseStopwatch) {
        let change = { (record: inout Job) in
            record.phase = step.phase
            stopwatch.write(into: &record)
        }
        if step.action == .preCopyRound {
            job.recordAnyway(with: StoreChange(), change)
        } else {
            job.sample { record, _ in change(&record) }
        }
    }

    // MARK: Journal

    /// An action on no single device: intent, effect, outcome.
    ///
    /// `conclude` writes the line of the outcome.
    func plain(
        _ action: TransferAction,
        _ effect: () throws(ActionFailure) -> Void,
        concludedBy conclude: (JournalEntry.Line) throws(Problem) -> Void
    ) -> TransferEvent {
        let startedAt = clock.monotonicNanoseconds()
        do throws(ActionFailure) {
            try intend([.intent(action: action.name, device: nil, arc: nil)])
            try effect()
            let nanoseconds = clock.monotonicNanoseconds() - startedAt
            try naming { () throws(Problem) in
                try conclude(
                    .done(action: action.name, device: nil, arc: nil, nanoseconds: nanoseconds)
                )
            }
            return .done
        } catch {
            job.recordAnyway(
                [.failed(action: action.name, device: nil, arc: nil, problem: error.problem)])
            return error.event
        }
    }

    /// An action on no single device, with an outcome that needs nothing beside its line.
    func plain(
        _ action: TransferAction,
        _ effect: () throws(ActionFailure) -> Void
    ) -> TransferEvent {
        plain(action, effect) { line throws(Problem) in try conclude([line]) }
    }

    /// An action that every member has a part in, side by side, with one intent and one outcome.
    ///
    /// What is true once all of it is done is stored with the outcome.
    func together(
        _ action: TransferAction,
        _ members: [JobMember],
        storing outcome: @autoclosure () -> StoreChange = StoreChange(),
        _ part: @escaping @Sendable (JobMember, SetAlarm) throws(ActionFailure) -> Void
    ) -> TransferEvent {
        let startedAt = clock.monotonicNanoseconds()
        do throws(ActionFailure) {
            try intend([.intent(action: action.name, device: nil, arc: nil)])
        } catch {
            return error.event
        }
        let alarm = SetAlarm()
        let tried = crew.each(members) { [self] member in
            sounding(alarm) { () throws(ActionFailure) in try part(member, alarm) }
        }
        if let failure = SetFailure(failures(tried)) {
            let problem = failure.worst.problem
            job.recordAnyway([
                .failed(action: action.name, device: nil, arc: nil, problem: problem)
            ])
            return tell(failure)
        }
        let nanoseconds = clock.monotonicNanoseconds() - startedAt
        do throws(Problem) {
            try conclude(
                [.done(action: action.name, device: nil, arc: nil, nanoseconds: nanoseconds)],
                with: outcome()
            )
            return .done
        } catch {
            return .failed(FailedAction(error))
        }
    }

    /// Does one member's part, and raises the alarm for the others when it fails.
    func sounding<Success>(
        _ alarm: SetAlarm,
        _ body: () throws(ActionFailure) -> Success
    ) -> MemberTry<Success> {
        let tried = attempt(body)
        if case .failure = tried { alarm.raise() }
        return tried
    }

    /// A line that decides: writing it is the effect.
    private func decide(
        _ line: JournalEntry.Line,
        with extra: StoreChange = StoreChange(),
        _ change: (inout Job) -> Void
    ) -> TransferEvent {
        do throws(Problem) {
            try job.record([line], .machine, with: extra, change)
            return .done
        } catch {
            return .failed(FailedAction(error))
        }
    }

    /// The abort record, tried again for a while: as long as it is missing a stopped source stays
    /// stopped, so a disk that is full for a moment must not end the job that way.
    private func abort(_ cause: Problem) -> TransferEvent {
        var event = decide(.abort(cause)) { _ in }
        for _ in 1..<max(1, abortTryLimit) {
            guard let problem = event.problem, problem.code == .storeFailed else { break }
            job.warn("The abort record cannot be written, and is tried again: \(problem.detail)")
            job.pause(nanoseconds: Self.abortPauseNanoseconds)
            event = decide(.abort(cause)) { _ in }
        }
        return event
    }

    private static let abortPauseNanoseconds: UInt64 = 250_000_000

    /// Writes intents; an action of which that fails is not begun.
    func intend(_ lines: [JournalEntry.Line]) throws(ActionFailure) {
        guard !lines.isEmpty else { return }
        do throws(Problem) { try conclude(lines) } catch { throw ActionFailure(notBegun: error) }
    }

    /// Writes lines, with what they changed.
    ///
    /// What follows a decision waits for no store: the record of the decision is the durable
    /// intent of it all, and a restart that finds nothing more calls the rest unknown.
    func conclude(
        _ lines: [JournalEntry.Line],
        with extra: StoreChange = StoreChange(),
        _ change: (inout Job) -> Void = { _ in }
    ) throws(Problem) {
        if job.isDecided {
            job.recordAnyway(lines, with: extra, change)
        } else {
            try job.record(lines, with: extra, change)
        }
    }

    /// Makes a problem that no device is to blame for the failure of an action.
    func naming<Result>(
        _ body: () throws(Problem) -> Result
    ) throws(ActionFailure) -> Result {
        do throws(Problem) { return try body() } catch { throw ActionFailure(error) }
    }
}
