import JobStore
import MigrationCore
import MigrationPorts
import Testing

@Suite("Order and pages of the store")
struct OrderTests {
    private let fixture: StoreFixture
    private let store: SQLiteJobStore

    init() throws {
        fixture = try StoreFixture()
        store = try fixture.open()
    }

    private func line(_ note: String, of job: Job) -> StoreChange.JournalLine {
        let entry = JournalEntry(at: Samples.time, phase: nil, line: .recovered(note: note))
        return StoreChange.JournalLine(job: job.id, entry: entry)
    }

    @Test(
        "stretches neither repeat nor miss a job while jobs come and go",
        arguments: [1, 3, 7, 50]
    )
    func stretches(limit: Int) throws {
        let jobs = try (0..<20).map { try Samples.job("job-\($0)") }
        try store.apply(StoreChange(jobs: jobs), .process)
        var walk = JobWalk(limit: limit)
        var seen: [Job] = []
        var newcomers = 0
        repeat {
            let stretch = try store.jobs(walk)
            #expect(stretch.jobs.count <= limit)
            seen += stretch.jobs.map(\.job)
            walk.from = stretch.end
            newcomers += 1
            try store.apply(StoreChange(jobs: [try Samples.job("new-\(newcomers)")]), .process)
            // The very job the walk goes on from is forgotten.
            if let last = seen.last {
                try fixture.tamper("DELETE FROM job WHERE id = '\(last.id)'")
            }
        } while walk.from != nil
        #expect(seen == jobs.reversed())
    }

    @Test("a walk goes the other way too, with the newcomers at its end")
    func oldestFirst() throws {
        let jobs = try (0..<5).map { try Samples.job("job-\($0)") }
        try store.apply(StoreChange(jobs: jobs), .process)
        var walk = JobWalk(limit: 3)
        walk.order = .oldestFirst
        let first = try store.jobs(walk)
        #expect(first.jobs.map(\.job) == Array(jobs[..<3]))
        try store.apply(StoreChange(jobs: [try Samples.job("new")]), .process)
        walk.from = first.end
        walk.limit = 10
        let rest = try store.jobs(walk)
        #expect(rest.jobs.map(\.job.id.text) == ["job-3", "job-4", "new"])
        #expect(rest.end == nil)
    }

    @Test("a walk passes by other kinds and states, and leaves unfinished jobs to who asks")
    func conditions() throws {
        var jobs = try (0..<4).map { try Samples.job("job-\($0)") }
        jobs[0].state = .succeeded
        jobs[1].state = .cancelled
        jobs[3].state = .running
        try store.apply(StoreChange(jobs: jobs), .process)
        var walk = JobWalk(limit: 10)
        walk.state = "succeeded"
        #expect(try store.jobs(walk).jobs.map(\.job.id.text) == ["job-3", "job-2", "job-0"])
        walk.kind = "another"
        #expect(try store.jobs(walk).jobs.isEmpty)
        walk.kind = jobs[0].spec.work.kind.rawValue
        #expect(
            try store.jobs(walk) { $0.state == .succeeded }.jobs.map(\.job.id.text) == ["job-0"]
        )
    }

    @Test("a walk looks at no more jobs than it may, and goes on from there", arguments: [1, 2, 5])
    func scanLimit(limit: Int) throws {
        let jobs = try (0..<9).map { try Samples.job("job-\($0)") }
        try store.apply(StoreChange(jobs: jobs), .process)
        var walk = JobWalk(limit: 10, scanLimit: limit)
        var asked: [String] = []
        var found: [String] = []
        var stretches = 0
        repeat {
            let before = asked.count
            let stretch = try store.jobs(walk) { job in
                asked.append(job.id.text)
                return job.id.text == "job-1"
            }
            #expect(asked.count - before <= limit)
            found += stretch.jobs.map(\.job.id.text)
            walk.from = stretch.end
            stretches += 1
        } while walk.from != nil
        #expect(asked == jobs.reversed().map(\.id.text))
        #expect(found == ["job-1"])
        #expect(stretches >= 9 / limit)
    }

    @Test("a job that changes keeps its place")
    func changedJob() throws {
        var jobs = try (0..<3).map { try Samples.job("job-\($0)") }
        try store.apply(StoreChange(jobs: jobs), .process)
        jobs[0].state = .succeeded
        jobs[0].generation = 2
        try store.apply(StoreChange(jobs: [jobs[0]]), .process)
        #expect(try store.newest(10) == jobs.reversed())
        #expect(try store.unfinishedJobs() == Array(jobs[1...]))
    }

    @Test("a limit of nothing, or less, gives nothing", arguments: [0, -1])
    func noLimit(limit: Int) throws {
        let job = try Samples.job("job-1")
        try store.apply(StoreChange(jobs: [job], journal: [line("a", of: job)]), .process)
        #expect(try store.newest(limit) == [])
        #expect(try store.journal(of: job.id, after: 0, limit: limit) == [])
        #expect(try store.events(after: 0, limit: limit).isEmpty)
    }

    @Test("each job's journal counts from 1 on its own, over several changes")
    func sequences() throws {
        let (first, second) = (try Samples.job("job-1"), try Samples.job("job-2"))
        try store.apply(
            StoreChange(
                jobs: [first, second],
                journal: [line("a", of: first), line("x", of: second), line("b", of: first)]
            ),
            .process
        )
        try store.apply(
            StoreChange(journal: [line("y", of: second), line("c", of: first)]),
            .machine
        )
        let one = try store.journal(of: first.id, after: 0, limit: 10)
        #expect(one.map(\.sequence) == [1, 2, 3])
        #expect(one.map(\.entry.line) == ["a", "b", "c"].map { .recovered(note: $0) })
        let two = try store.journal(of: second.id, after: 0, limit: 10)
        #expect(two.map(\.sequence) == [1, 2])
        #expect(try store.journal(of: first.id, after: 1, limit: 1).map(\.sequence) == [2])
        #expect(try store.journal(of: first.id, after: 3, limit: 1) == [])
        #expect(try store.journal(of: id("job-none"), after: 0, limit: 1) == [])
    }

    @Test("a change of which one part cannot be written leaves nothing of the others")
    func atomicity() throws {
        let job = try Samples.job("job-1")
        let stranger = try Samples.job("job-2")
        let problem = #expect(throws: Problem.self) {
            try store.apply(
                StoreChange(
                    jobs: [job],
                    journal: [line("a", of: job), line("b", of: stranger)],
                    sessions: Samples.sessions(),
                    savedImages: [Samples.image("image-1")],
                    events: Samples.topics().map { Event(at: Samples.time, topic: $0) }
                ),
                .machine
            )
        }
        #expect(problem?.code == .storeFailed)
        #expect(problem?.facts.operation == "write")
        #expect(try store.job(job.id) == nil)
        #expect(try store.journal(of: job.id, after: 0, limit: 10) == [])
        #expect(try store.sessions() == [])
        #expect(try store.images() == [])
        #expect(try store.events(after: 0, limit: 10).isEmpty)
        try store.apply(StoreChange(jobs: [job]), .process)
        #expect(try store.job(job.id) == job)
    }

    @Test("writers from several threads take turns and lose nothing")
    func concurrentWriters() async throws {
        let jobs = try (0..<4).map { try Samples.job("job-\($0)") }
        try store.apply(StoreChange(jobs: jobs), .process)
        let store = store
        try await withThrowingTaskGroup { group in
            for job in jobs {
                let line = line("x", of: job)
                group.addTask {
                    for _ in 0..<50 { try store.apply(StoreChange(journal: [line]), .process) }
                }
            }
            try await group.waitForAll()
        }
        for job in jobs {
            let journal = try store.journal(of: job.id, after: 0, limit: 100)
            #expect(journal.map(\.sequence) == Array(1...50))
        }
    }
}
