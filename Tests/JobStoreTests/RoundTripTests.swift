import JobStore
import MigrationCore
import MigrationPorts
import Testing

@Suite("What the store keeps")
struct RoundTripTests {
    private let fixture: StoreFixture
    private let store: SQLiteJobStore

    init() throws {
        fixture = try StoreFixture()
        store = try fixture.open()
    }

    @Test("a job of every kind in every state comes back as it was")
    func jobs() throws {
        var jobs: [Job] = []
        for (kind, work) in try Samples.works().enumerated() {
            for (number, state) in try Samples.states().enumerated() {
                jobs.append(try Samples.fullJob("job-\(kind).\(number)", work: work, state: state))
            }
        }
        try store.apply(StoreChange(jobs: jobs), .process)
        for job in jobs { #expect(try store.job(job.id) == job) }
        #expect(try store.newest(100) == jobs.reversed())
        let unfinished = try store.unfinishedJobs()
        #expect(unfinished == jobs.filter { !$0.state.isTerminal })
        #expect(fixture.damage.all == [])
    }

    @Test("a job with nothing in it comes back as it was")
    func emptyJob() throws {
        let job = try Samples.job("job-1")
        try store.apply(StoreChange(jobs: [job]), .process)
        #expect(try store.job(job.id) == job)
        #expect(try store.job(id("job-2")) == nil)
    }

    @Test("the samples hold every kind, state, journal line and topic")
    func samplesAreComplete() throws {
        let works = try Samples.works()
        #expect(Set(works.map(\.kind)) == Set(JobKind.allCases))
        #expect(Set(try Samples.states().map(Self.number)) == Set(0..<7))
        #expect(Set(try Samples.lines().map(Self.number)) == Set(0..<13))
        #expect(Set(try Samples.topics().map(Self.number)) == Set(0..<6))
    }

    @Test("every problem comes back with every fact", arguments: Problem.Code.allCases)
    func problems(code: Problem.Code) throws {
        var job = try Samples.job("job-1")
        for problem in [Problem(code, "bare"), try Samples.fullProblem(code)] {
            job.state = .failed(problem)
            try store.apply(StoreChange(jobs: [job]), .process)
            #expect(try store.job(job.id)?.state.problem == problem)
        }
    }

    @Test("every line of a journal comes back in its place")
    func journal() throws {
        let job = try Samples.job("job-1")
        let phases: [JobPhase?] = [nil] + JobPhase.allCases
        var entries: [JournalEntry] = []
        // A job has one decision: the abort is another one's.
        for (index, line) in try Samples.lines().enumerated() where !line.isAbort {
            let phase = phases[index % phases.count]
            entries.append(JournalEntry(at: Samples.time, phase: phase, line: line))
        }
        let lines = entries.map { StoreChange.JournalLine(job: job.id, entry: $0) }
        try store.apply(StoreChange(jobs: [job], journal: lines), .process)
        let stored = try store.journal(of: job.id, after: 0, limit: 100)
        #expect(stored.map(\.entry) == entries)
        #expect(stored.map(\.sequence) == Array(1...Int64(entries.count)))
    }

    @Test("of a commit and an abort the first one stands, and the other one is refused")
    func decisions() throws {
        let abort = JournalEntry.Line.abort(Problem(.cancelled, "cancelled"))
        for (number, pair) in [[.commit, abort], [abort, JournalEntry.Line.commit]].enumerated() {
            let job = try Samples.job("job-\(number)")
            let change = { (line: JournalEntry.Line) in
                StoreChange(
                    jobs: [job],
                    journal: [
                        StoreChange.JournalLine(
                            job: job.id,
                            entry: JournalEntry(at: Samples.time, phase: nil, line: line)
                        )
                    ]
                )
            }
            try store.apply(change(pair[0]), .machine)
            let problem = #expect(throws: Problem.self) {
                try store.apply(change(pair[1]), .machine)
            }
            #expect(problem?.code == (pair[1].isAbort ? .jobCommitted : .cancelled))
            // Nothing of the refused change is there, and the same decision may be said again.
            try store.apply(change(pair[0]), .machine)
            let stored = try store.journal(of: job.id, after: 0, limit: 100)
            #expect(stored.map(\.entry.line) == [pair[0], pair[0]])
        }
    }

    @Test("what was learned of SETs comes back, the last of each driver and arc")
    func setDurations() throws {
        let arcs = [
            Problem.ArcNames(from: .preCopyP2P, to: .stopCopy),
            Problem.ArcNames(from: nil, to: .stopCopy),
        ]
        let first = arcs.map { SetDuration(driver: "mlx5_vfio_pci", arc: $0, nanoseconds: 7) }
        try store.apply(StoreChange(setDurations: first), .process)
        let last = first.map { SetDuration(driver: $0.driver, arc: $0.arc, nanoseconds: 9) }
        let other = SetDuration(driver: "mtty", arc: arcs[0], nanoseconds: 1)
        try store.apply(StoreChange(setDurations: last + [other]), .process)
        #expect(Set(try store.setDurations()) == Set(last + [other]))
    }

    @Test("jobs that nobody resolved are found, and no others")
    func unresolved() throws {
        for (number, state) in try Samples.states().enumerated() {
            try store.apply(
                StoreChange(jobs: [try Samples.job("job-\(number)", state: state)]),
                .process
            )
        }
        let names = Set(try store.unresolvedJobs().map(\.state.name))
        #expect(names == ["indeterminate"])
    }

    @Test("every session comes back, the newest first, with its last change")
    func sessions() throws {
        var sessions = try Samples.sessions()
        try store.apply(StoreChange(sessions: sessions), .process)
        #expect(try store.sessions() == sessions.reversed())
        sessions[3].status = .lost
        sessions[3].note = "the daemon died"
        try store.apply(StoreChange(sessions: [sessions[3]]), .process)
        #expect(try store.sessions() == sessions.reversed())
    }

    @Test("an image comes back until it is deleted")
    func images() throws {
        let (first, second) = (try Samples.image("image-1"), try Samples.image("image-2"))
        try store.apply(StoreChange(savedImages: [first, second]), .process)
        #expect(try store.images() == [second, first])
        try store.apply(StoreChange(deletedImages: [first.id]), .process)
        #expect(try store.images() == [second])
        try store.apply(StoreChange(deletedImages: [first.id]), .process)
        #expect(try store.images() == [second])
    }

    @Test("every event comes back in order")
    func events() throws {
        let events = try Samples.topics().map { Event(at: Samples.time, topic: $0) }
        try store.apply(StoreChange(events: events), .process)
        let stored = try store.events(after: 0, limit: 100)
        #expect(stored.map(\.event) == events)
        #expect(stored.map(\.sequence) == [1, 2, 3, 4, 5, 6, 7])
        #expect(try store.events(after: 3, limit: 1).map(\.sequence) == [4])
    }

    @Test("a number that JSON cannot hold is refused, not bent")
    func hugeNumber() throws {
        var job = try Samples.job("job-1")
        job.generation = .max
        let problem = #expect(throws: Problem.self) {
            try store.apply(StoreChange(jobs: [job]), .process)
        }
        #expect(problem?.code == .storeFailed)
        #expect(try store.job(job.id) == nil)
    }

    private static func number(_ state: JobState) -> Int {
        switch state {
        case .queued: 0
        case .running: 1
        case .cancelling: 2
        case .succeeded: 3
        case .failed: 4
        case .cancelled: 5
        case .indeterminate: 6
        }
    }

    private static func number(_ line: JournalEntry.Line) -> Int {
        switch line {
        case .accepted: 0
        case .intent: 1
        case .done: 2
        case .failed: 3
        case .cancelRequested: 4
        case .switchoverRequested: 5
        case .abort: 6
        case .commit: 7
        case .finished: 8
        case .recovered: 9
        case .switchoverForced: 10
        case .limitsChanged: 11
        case .resolved: 12
        // Never written.
        case .unreadable: -1
        }
    }

    private static func number(_ topic: Event.Topic) -> Int {
        switch topic {
        case .jobChanged: 0
        case .sessionChanged: 1
        case .imageChanged: 2
        case .deviceAlert: 3
        case .deviceChanged: 4
        case .deviceGone: 5
        }
    }
}

extension JournalEntry.Line {
    fileprivate var isAbort: Bool {
        if case .abort = self { true } else { false }
    }
}
