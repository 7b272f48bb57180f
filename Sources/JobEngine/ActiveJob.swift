internal import Dispatch
internal import MigrationCore
internal import MigrationPorts
internal import StateTransfer
internal import Synchronization

/// A job in memory, from its admission on: the durable record, its machine, what is sampled, and
/// the one place where a change of it is written down and published.
final class ActiveJob: Sendable {
    private struct State: Sendable {
        var job: Job { didSet { shown = nil } }
        var machine: TransferMachine { didSet { shown = nil } }
        var progress: JobProgress? { didSet { shown = nil } }
        /// Lines of what has happened that the store did not take: they come with the next ones.
        var owed: [JournalEntry.Line] = []
        /// What readers saw last, as long as it is true.
        var shown: JobView?
        /// Why the job is to be called off.
        ///
        /// The first reason stays.
        var interruption: Problem?
        /// Whether it passed the limit of its progress and was told to go on.
        var hasStalled = false
    }

    let id: JobID
    let spec: JobSpec
    /// The devices by side, to show the arcs they are in.
    let devices: [DrivenDevice]
    /// Woken when pre-copy is to end, however low the rate it waits for.
    let limiter: RateLimiter
    private let store: any JobStore
    private let feed: ChangeFeed
    private let events: EventFeed
    private let clock: any HostClock
    /// Held across a durable change, so that changes come one after the other and what decides
    /// (cancel, commit) is decided in order.
    ///
    /// The outermost lock of a job; readers never take it.
    private let writer = Mutex(())
    /// Guards what readers see.
    ///
    /// Inside `writer`; a leaf but for that.
    private let state: Mutex<State>
    /// Signalled when the runner has a reason not to wait any longer.
    private let attention = DispatchSemaphore(value: 0)

    init(
        _ job: Job,
        machine: TransferMachine,
        devices: [DrivenDevice],
        limiter: RateLimiter,
        store: any JobStore,
        feed: ChangeFeed,
        events: EventFeed,
        clock: any HostClock
    ) {
        self.id = job.id
        self.spec = job.spec
        self.devices = devices
        self.limiter = limiter
        self.store = store
        self.feed = feed
        self.events = events
        self.clock = clock
        self.state = Mutex(State(job: job, machine: machine))
    }

    // MARK: Reading

    var job: Job { state.withLock { $0.job } }
    var generation: UInt64 { state.withLock { $0.job.generation } }
    private var isEnded: Bool { state.withLock { $0.job.state.isTerminal } }
    var isDecided: Bool { state.withLock { $0.machine.isDecided } }
    var isUnbegun: Bool { state.withLock { $0.machine.isUnbegun } }
    var isOnWayBack: Bool { state.withLock { $0.machine.isOnWayBack } }
    var interruption: Problem? { state.withLock { $0.interruption } }
    /// Whether it goes, or went, back.
    var isCalledOff: Bool {
        state.withLock { $0.interruption != nil || $0.machine.isRollingBack }
    }
    var isInterrupted: Bool { state.withLock { $0.interruption != nil } }

    /// The devices of a side, by their number in the set, that actions are for.
    func active(_ side: Side) -> [Int] { state.withLock { $0.machine.active(side) } }

    /// Whether a round of pre-copy has to end before the device has nothing more to give.
    var isRoundOver: Bool {
        state.withLock { $0.interruption != nil || $0.machine.isGateOpen }
    }

    var view: JobView {
        let now = clock.monotonicNanoseconds()
        let stuck = isEnded ? nil : devices.lazy.compactMap { $0.stuckArc(at: now) }.first
        return state.withLock { state in
            if stuck == nil, let shown = state.shown { return shown }
            var progress = state.progress
            progress?.expectedDowntimeNanoseconds = state.machine.expectedDowntimeNanoseconds
            progress?.setNanoseconds = state.machine.switchover.setNanoseconds
            let view = JobView(
                job: state.job,
                progress: progress,
                stuckIn: stuck,
                switchoverBlockedBy: state.job.state == .running
                    ? state.machine.switchoverBlockedBy : [],
                isCancellable: Self.isCancellable(state)
            )
            // Only time tells that an arc has got unstuck.
            if stuck == nil { state.shown = view }
            return view
        }
    }

    // MARK: Changing

    /// Changes the record, journals lines with it and publishes both, in one transaction.
    ///
    /// When the store fails nothing has changed. `change` may be called twice.
    func record(
        _ lines: [JournalEntry.Line] = [],
        _ durability: Durability = .process,
        with extra: StoreChange = StoreChange(),
        _ change: (inout Job) -> Void = { _ in }
    ) throws(Problem) {
        let generation = try writer.withLock { _ throws(Problem) in
            try write(lines, durability, extra, change)
        }
        feed.didChange(id, generation: generation)
    }

    /// Writes the job down for the first time, with what else its acceptance makes true.
    ///
    /// `extra` is told what readers will see. Returns that.
    func accept(
        with extra: (JobView) throws(Problem) -> StoreChange
    ) throws(Problem) -> JobView {
        let accepted: JobView = try writer.withLock { _ throws(Problem) in
            let now = view
            var job = now.job
            job.generation += 1
            let accepted = JobView(
                job: job,
                progress: now.progress,
                stuckIn: nil,
                switchoverBlockedBy: now.switchoverBlockedBy,
                isCancellable: now.isCancellable
            )
            _ = try write([.accepted], .machine, try extra(accepted)) { _ in }
            return accepted
        }
        feed.didChange(id, generation: accepted.job.generation)
        return accepted
    }

    /// Writes lines of what has happened with the next ones: the store did not take them.
    func owe(_ lines: [JournalEntry.Line]) { state.withLock { $0.owed += lines } }

    /// Changes the record even when the store does not take it: for what has happened already.
    ///
    /// The lines of it are owed then, and come with the next ones. One that was written although the
    /// store said no comes twice.
    /// `settle` runs when the change is stored and before anybody can see it. Returns what the
    /// store said.
    @discardableResult
    func recordAnyway(
        _ lines: [JournalEntry.Line] = [],
        _ durability: Durability = .process,
        with extra: StoreChange = StoreChange(),
        _ change: (inout Job) -> Void = { _ in },
        settling settle: () -> Void = {}
    ) -> Problem? {
        let (generation, problem) = writer.withLock { _ in
            writeAnyway(lines, durability, extra, change, settling: settle)
        }
        feed.didChange(id, generation: generation)
        return problem
    }

    /// Changes what is only sampled.
    ///
    /// Nobody is woken.
    func sample(_ change: (inout Job, inout JobProgress) -> Void) {
        state.withLock { state in
            var progress = state.progress ?? JobProgress()
            change(&state.job, &progress)
            // A reset has none, and nor has a job whose device has not told a size yet.
            state.progress = progress == JobProgress() ? nil : progress
        }
    }

    /// What to do first: nothing when the job was called off while it waited for a worker.
    var firstInstruction: TransferInstruction {
        writer.withLock { _ in
            state.withLock { state in
                if let interruption = state.interruption { state.machine.abandon(interruption) }
                return state.machine.instruction
            }
        }
    }

    /// Feeds the machine.
    ///
    /// A cancel is either seen here or refused from here on.
    func advance(_ event: TransferEvent) -> TransferInstruction {
        writer.withLock { _ in
            state.withLock { state in
                state.machine.next(after: event, interruption: state.interruption)
            }
        }
    }

    /// Asks for a cancel, or says why it comes too late.
    ///
    /// A store that is full is a reason more to call a job off, so it holds up no cancel: what
    /// decides is the abort record.
    func cancel() throws(Problem) {
        let generation: UInt64 = try writer.withLock { _ throws(Problem) in
            let (job, isCancellable, isRollingBack) = state.withLock {
                ($0.job, Self.isCancellable($0), $0.machine.isRollingBack)
            }
            // First: a machine that has rolled back goes on saying so.
            guard !job.state.isTerminal else {
                throw Problem(.jobFinished, "Job \(id) has ended: \(job.state.name).")
            }
            if job.state == .cancelling || isRollingBack { return job.generation }
            guard isCancellable else {
                throw Problem(
                    .jobCommitted,
                    "Job \(id) has passed its commit and cannot be cancelled."
                )
            }
            let (generation, _) = writeAnyway([.cancelRequested], .process, StoreChange()) {
                $0.state = .cancelling
            }
            interruptLocked(Problem(.cancelled, "The job was cancelled on request."))
            return generation
        }
        wake()
        feed.didChange(id, generation: generation)
    }

    /// Calls the job off for a reason of the host's.
    ///
    /// False when it is too late for that.
    @discardableResult
    func interrupt(_ reason: Problem) -> Bool {
        let isInTime = writer.withLock { _ in
            guard state.withLock({ Self.isCancellable($0) }) else { return false }
            interruptLocked(reason)
            return true
        }
        wake()
        return isInTime
    }

    /// Opens the gate of the switchover.
    func switchOver() throws(Problem) {
        try changing([.switchoverRequested]) { _ throws(Problem) in
            guard state.withLock({ $0.job.state == .running && $0.machine.isInPreCopy }) else {
                throw Problem(
                    .notAwaitingSwitchover,
                    "Job \(id) is not in pre-copy, where a switchover is asked."
                )
            }
        } change: { _ in
        } then: { machine in
            machine.openGate()
        }
        wake()
    }

    /// Opens the gate because a limit was passed; a job that is past it just goes on.
    func forceSwitchover(_ reason: Problem) {
        let generation: UInt64 = writer.withLock { _ in
            let line = JournalEntry.Line.switchoverForced(reason: reason.detail)
            let (generation, _) = writeAnyway([line], .process, StoreChange()) {
                $0.warn(reason.detail)
            }
            state.withLock { $0.machine.openGate() }
            return generation
        }
        wake()
        feed.didChange(id, generation: generation)
    }

    /// Changes what the client asked for, in time for it to count.
    ///
    /// `check` may refuse; `then` changes the machine once the change is stored.
    func changing(
        _ lines: [JournalEntry.Line],
        check: (Job) throws(Problem) -> Void,
        change: (inout Job) -> Void,
        then: (inout TransferMachine) -> Void
    ) throws(Problem) {
        let generation: UInt64 = try writer.withLock { _ throws(Problem) in
            let (job, isCancellable) = state.withLock { ($0.job, Self.isCancellable($0)) }
            guard !job.state.isTerminal else {
                throw Problem(.jobFinished, "Job \(id) has ended: \(job.state.name).")
            }
            guard isCancellable || job.state == .cancelling else {
                throw Problem(
                    .jobCommitted,
                    "Job \(id) is past its commit, where no limit counts any more."
                )
            }
            try check(job)
            let generation = try write(lines, .process, StoreChange(), change)
            state.withLock { then(&$0.machine) }
            return generation
        }
        feed.didChange(id, generation: generation)
    }

    /// How long pre-copy has come no nearer to its end.
    func stalledNanoseconds(at now: UInt64) -> UInt64? {
        state.withLock { $0.machine.stalledNanoseconds(at: now) }
    }

    /// Whether the limit of the progress is passed for the first time.
    func takeStall() -> Bool {
        state.withLock { state in
            defer { state.hasStalled = true }
            return !state.hasStalled
        }
    }

    /// Counts the next stall as the first one: the limits are others now.
    func clearStall() { state.withLock { $0.hasStalled = false } }

    /// Tells something that went wrong and changes nothing; the store may not take it.
    func warn(_ text: String) { recordAnyway { $0.warn(text) } }

    /// Waits a while that nothing shortens: for what has no event to wait for.
    func pause(nanoseconds: UInt64) {
        let never = DispatchSemaphore(value: 0)
        _ = never.wait(timeout: .now() + .nanoseconds(Int(clamping: nanoseconds)))
    }

    /// Waits until something calls for attention, at most so long.
    func waitForAttention(nanoseconds: UInt64) {
        _ = attention.wait(timeout: .now() + .nanoseconds(Int(clamping: nanoseconds)))
    }

    private func interruptLocked(_ reason: Problem) {
        state.withLock { if $0.interruption == nil { $0.interruption = reason } }
    }

    /// Makes the runner look up from whatever it waits for.
    func wake() {
        limiter.wake()
        attention.signal()
    }

    private static func isCancellable(_ state: State) -> Bool {
        switch state.job.state {
        // Whatever its plan: nothing of it was performed yet.
        case .queued: true
        case .running: state.machine.isCancellable
        default: false
        }
    }

    private func write(
        _ lines: [JournalEntry.Line],
        _ durability: Durability,
        _ extra: StoreChange,
        _ change: (inout Job) -> Void,
        settling settle: () -> Void = {}
    ) throws(Problem) -> UInt64 {
        let owed = state.withLock { $0.owed }
        var job = state.withLock { $0.job }
        change(&job)
        job.generation += 1
        var storeChange = extra
        let ours = StoreChange(job, owed + lines, at: clock.timestamp())
        if durability == .machine || !lines.areSteps { storeChange.jobs += ours.jobs }
        storeChange.journal += ours.journal
        storeChange.events += ours.events
        return try events.telling { () throws(Problem) in
            try store.apply(storeChange, durability)
            state.withLock { $0.owed.removeFirst(owed.count) }
            settle()
            return publish { visible in
                change(&visible)
                visible.generation = job.generation
            }
        }
    }

    /// What is written, with what the store said when it did not take it.
    private func writeAnyway(
        _ lines: [JournalEntry.Line],
        _ durability: Durability,
        _ extra: StoreChange,
        _ change: (inout Job) -> Void,
        settling settle: () -> Void = {}
    ) -> (UInt64, Problem?) {
        do throws(Problem) {
            return (try write(lines, durability, extra, change, settling: settle), nil)
        } catch {
            owe(lines)
            settle()
            let generation = publish { job in
                change(&job)
                job.generation += 1
                job.warn(error.detail)
            }
            return (generation, error)
        }
    }

    /// Makes a change visible, on top of what was sampled meanwhile.
    private func publish(_ change: (inout Job) -> Void) -> UInt64 {
        state.withLock { state in
            change(&state.job)
            return state.job.generation
        }
    }
}
