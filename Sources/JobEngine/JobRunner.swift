internal import MigrationCore
internal import MigrationPorts
internal import StateTransfer

/// Performs what a job's machine asks for, on the worker the job leased: journals the intent,
/// does it, journals the outcome, feeds it back.
struct JobRunner {
    let job: ActiveJob
    let members: JobMembers
    let store: any JobStore
    let images: ImageDirectory
    let clock: any HostClock
    let kernelRelease: String
    let version: String
    let meter: RateMeter
    let rate = BusyRate()

    init(
        job: ActiveJob,
        members: JobMembers,
        store: any JobStore,
        images: ImageDirectory,
        clock: any HostClock,
        kernelRelease: String,
        version: String
    ) {
        self.job = job
        self.members = members
        self.store = store
        self.images = images
        self.clock = clock
        self.kernelRelease = kernelRelease
        self.version = version
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
        case .verifyImage: plain(action) { () throws(ActionFailure) in try verifyImage() }
        case .createImage: plain(action) { () throws(ActionFailure) in try createImage() }
        case .confirmLoaded: plain(action) { () throws(ActionFailure) in try confirmLoaded() }
        case .discardImage: plain(action) { () throws(ActionFailure) in try discardImage() }
        case .sealImage: sealImage()
        case .commit: decide(.commit, with: imageInUse()) { $0.mayRun = .target }
        case .abort(let cause): decide(.abort(cause)) { _ in }
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
            try intend(.intent(action: action.name, device: nil, arc: nil))
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
        plain(action, effect) { line throws(Problem) in try conclude(line) }
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
            return .failed(error, side: nil, state: nil)
        }
    }

    /// Writes an intent; an action of which that fails is not begun.
    func intend(_ line: JournalEntry.Line) throws(ActionFailure) {
        do throws(Problem) { try conclude(line) } catch { throw ActionFailure(notBegun: error) }
    }

    /// Writes a line, with what it changed.
    ///
    /// What follows a decision waits for no store: the record of the decision is the durable
    /// intent of it all, and a restart that finds nothing more calls the rest unknown.
    func conclude(
        _ line: JournalEntry.Line,
        _ change: (inout Job) -> Void = { _ in }
    ) throws(Problem) {
        if job.isDecided {
            job.recordAnyway([line], with: StoreChange(), change)
        } else {
            try job.record([line], with: StoreChange(), change)
        }
    }

    /// Makes a problem that no device is to blame for the failure of an action.
    func naming<Result>(
        _ body: () throws(Problem) -> Result
    ) throws(ActionFailure) -> Result {
        do throws(Problem) { return try body() } catch { throw ActionFailure(error) }
    }
}
