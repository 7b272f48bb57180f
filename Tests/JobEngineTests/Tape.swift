import MigrationCore
import MigrationPorts
import Synchronization

/// What happened, in order: what the store took and what was called on the devices.
final class Tape: Sendable {
    enum Entry: Sendable {
        case wrote(StoreChange, Durability)
        case refusedWrite(StoreChange)
        /// It was made, and said to have failed.
        case wroteInDoubt(StoreChange)
        case called(DeviceID, Call)
    }

    enum Call: Hashable, Sendable {
        case get(ReportedState?)
        case set(DeviceState, failed: Bool)
        case detach
        case reset
        case closed
        case stream(String)
    }

    private struct State {
        var entries: [Entry] = []
        var isRunning = false
        var writes = 0
        var calls = 0
    }

    // Guards the entries; a leaf.
    private let state = Mutex(State())

    var entries: [Entry] { state.withLock { $0.entries } }
    var writeCount: Int { state.withLock { $0.writes } }
    var callCount: Int { state.withLock { $0.calls } }

    func start() {
        state.withLock { $0 = State(isRunning: true) }
    }

    func stop() { state.withLock { $0.isRunning = false } }

    func note(_ entry: Entry) {
        state.withLock { if $0.isRunning { $0.entries.append(entry) } }
    }

    /// Numbers a write from 1; nil while the tape does not run.
    func nextWrite() -> Int? {
        state.withLock { state in
            guard state.isRunning else { return nil }
            state.writes += 1
            return state.writes
        }
    }

    /// Numbers a call on a device from 1; nil while the tape does not run.
    func nextCall() -> Int? {
        state.withLock { state in
            guard state.isRunning else { return nil }
            state.calls += 1
            return state.calls
        }
    }
}

/// A store that can refuse writes and calls somebody after each one it took.
final class TapedStore: JobStore {
    enum Fault: Hashable, Sendable {
        case none
        /// One write has no effect and throws.
        case at(Int)
        /// So does every one from here on.
        case from(Int)
        /// One write throws though it was made, as when only the fsync failed.
        case afterWrite(Int)
        /// Both decisions are refused: the commit and the abort that would prove it missing.
        case decision
        /// The commit is refused, and so are the first so many aborts.
        case commitAndAborts(Int)
    }

    let tape: Tape
    private let store: any JobStore
    private let fault: Mutex<Fault>  // Guards the plan; a leaf.
    // Guards a count; a leaf.
    private let refusedAborts = Mutex(0)
    // Guards how often events were read, and whether they can be; a leaf.
    private let eventReads = Mutex((count: 0, areRefused: false))
    // Guards the observer; a leaf.
    private let observer = Mutex<(@Sendable (Int) -> Void)?>(nil)
    // Guards who is called once an answer was read; a leaf.
    private let answerReader = Mutex<(@Sendable () -> Void)?>(nil)

    init(_ store: any JobStore, _ tape: Tape) {
        self.store = store
        self.tape = tape
        self.fault = Mutex(.none)
    }

    var eventReadCount: Int { eventReads.withLock { $0.count } }

    func refuseEventReads(_ areRefused: Bool) {
        eventReads.withLock { $0.areRefused = areRefused }
    }

    func plan(_ fault: Fault) { self.fault.withLock { $0 = fault } }

    /// Calls somebody with the number of every write that was made, before the writer goes on.
    func observe(_ observer: @escaping @Sendable (Int) -> Void) {
        self.observer.withLock { $0 = observer }
    }

    /// Calls somebody once, after the next look for an answer and before the reader goes on.
    func observeAnswer(_ observer: @escaping @Sendable () -> Void) {
        answerReader.withLock { $0 = observer }
    }

    func apply(_ change: StoreChange, _ durability: Durability) throws(Problem) {
        guard let number = tape.nextWrite() else { return try store.apply(change, durability) }
        let plan = fault.withLock { $0 }
        if isRefused(number, change, plan) {
            tape.note(.refusedWrite(change))
            throw Problem(.storeFailed, "injected into write \(number)")
        }
        try store.apply(change, durability)
        if plan == .afterWrite(number) {
            tape.note(.wroteInDoubt(change))
            throw Problem(.storeFailed, "injected after write \(number)")
        }
        tape.note(.wrote(change, durability))
        observer.withLock { $0 }?(number)
    }

    private func isRefused(_ number: Int, _ change: StoreChange, _ fault: Fault) -> Bool {
        switch fault {
        case .decision: change.journal.contains { $0.entry.line == .commit || $0.isAbort }
        case .commitAndAborts(let count):
            change.journal.contains { $0.entry.line == .commit }
                || change.journal.contains(where: \.isAbort)
                    && refusedAborts.withLock { refused in
                        refused += 1
                        return refused <= count
                    }
        case .none, .afterWrite: false
        case .at(let bad): number == bad
        case .from(let bad): number >= bad
        }
    }

    func job(_ id: JobID) throws(Problem) -> Job? { try store.job(id) }
    func jobs(_ walk: JobWalk, where isWanted: (Job) -> Bool) throws(Problem) -> JobStretch {
        try store.jobs(walk, where: isWanted)
    }
    func checkpoint() throws(Problem) { try store.checkpoint() }
    func unfinishedJobs() throws(Problem) -> [Job] { try store.unfinishedJobs() }
    func journal(
        of job: JobID,
        after sequence: Int64,
        limit: Int
    ) throws(Problem) -> [StoredJournalEntry] {
        try store.journal(of: job, after: sequence, limit: limit)
    }
    var storeID: String { store.storeID }
    func eventSpan() throws(Problem) -> EventSpan {
        try noteEventRead()
        return try store.eventSpan()
    }
    func events(after sequence: Int64, limit: Int) throws(Problem) -> [StoredEvent] {
        try noteEventRead()
        return try store.events(after: sequence, limit: limit)
    }
    private func noteEventRead() throws(Problem) {
        let isRefused = eventReads.withLock { reads in
            reads.count += 1
            return reads.areRefused
        }
        if isRefused { throw Problem(.storeFailed, "injected into a read of events") }
    }
    func sessions() throws(Problem) -> [SessionRecord] { try store.sessions() }
    func images() throws(Problem) -> [ImageRecord] { try store.images() }
    func unresolvedJobs() throws(Problem) -> [Job] { try store.unresolvedJobs() }
    func sizes() -> StoreSizes { store.sizes() }
    func setDurations() throws(Problem) -> [SetDuration] { try store.setDurations() }
    func answer(to request: KeyedRequest.Name) throws(Problem) -> KeptAnswer? {
        let answer = try store.answer(to: request)
        let observer = answerReader.withLock { observer in
            defer { observer = nil }
            return observer
        }
        observer?()
        return answer
    }
    func answerCount() throws(Problem) -> Int { try store.answerCount() }
    func audit(
        from place: AuditPlace?,
        newestFirst: Bool,
        limit: Int
    ) throws(Problem) -> [StoredAuditRecord] {
        try store.audit(from: place, newestFirst: newestFirst, limit: limit)
    }
    func auditRecord(_ id: AuditID) throws(Problem) -> AuditRecord? { try store.auditRecord(id) }
    func unfinishedAudit() throws(Problem) -> [AuditRecord] { try store.unfinishedAudit() }
    func age() throws(Problem) -> StoreAge { try store.age() }
    func forget(_ retention: Retention, at age: StoreAge) throws(Problem) -> Forgotten {
        try store.forget(retention, at: age)
    }
}

extension StoreChange.JournalLine {
    var isAbort: Bool {
        if case .abort = entry.line { true } else { false }
    }
}
