import GRDB
import JobStore
import MigrationCore
import MigrationPorts
import Testing

@Suite("What the store forgets")
struct ForgettingTests {
    private let fixture: StoreFixture
    private let store: SQLiteJobStore
    private let day: Int64 = 86_400

    init() throws {
        fixture = try StoreFixture()
        store = try fixture.open()
    }

    private func retention(
        days: Int64 = 30,
        jobs: Int = 100,
        sessions: Int = 100,
        audit: Int = 100,
        needed: Set<JobID> = [],
        batch: Int = 64
    ) -> Retention {
        Retention(
            seconds: days * day,
            jobLimit: jobs,
            sessionLimit: sessions,
            auditSeconds: days * day,
            auditLimit: audit,
            answerSeconds: day,
            needed: needed,
            batchLimit: batch
        )
    }

    /// Forgets until nothing is left to forget.
    private func forget(_ retention: Retention, day number: Int64) throws -> Forgotten {
        var all = Forgotten()
        for _ in 0..<1000 {
            let one = try store.forget(retention, at: StoreAge(seconds: number * day))
            all.jobs += one.jobs
            all.sessions += one.sessions
            all.answerCount += one.answerCount
            if !one.isMoreLeft { return all }
        }
        throw Problem(.internalError, "There is always more to forget.")
    }

    private func ended(_ names: String...) throws -> [JobID] {
        let jobs = try names.map { try Samples.job($0, state: .succeeded) }
        let lines = jobs.map {
            StoreChange.JournalLine(
                job: $0.id,
                entry: JournalEntry(at: Samples.time, phase: nil, line: .commit)
            )
        }
        try store.apply(StoreChange(jobs: jobs, journal: lines), .process)
        return jobs.map(\.id)
    }

    @Test("an ended job goes so long after it was found ended, its journal and decision with it")
    func age() throws {
        let first = try ended("job-1")
        #expect(try forget(retention(), day: 100).jobs == [])
        let second = try ended("job-2")
        #expect(try forget(retention(), day: 110).jobs == [])
        #expect(try store.forget(retention(), at: StoreAge(seconds: 130 * day - 1)).jobs == [])
        #expect(try forget(retention(), day: 130).jobs == first)
        #expect(try store.job(first[0]) == nil)
        #expect(try store.journal(of: first[0], after: 0, limit: 10) == [])
        #expect(try store.journal(of: second[0], after: 0, limit: 10).count == 1)
        // A job of the same name is another one: no decision and no line of the old one is left.
        let again = try Samples.job("job-1")
        let abort = JournalEntry(
            at: Samples.time,
            phase: nil,
            line: .abort(Problem(.cancelled, "called off"))
        )
        try store.apply(
            StoreChange(
                jobs: [again],
                journal: [StoreChange.JournalLine(job: again.id, entry: abort)]
            ),
            .process
        )
        #expect(try store.journal(of: again.id, after: 0, limit: 10).map(\.sequence) == [1])
    }

    @Test("jobs that are not settled stay whatever their age and number, and needed ones")
    func unsettled() throws {
        let states: [JobState] = [
            .queued, .running, .cancelling, .indeterminate(Problem(.daemonDied, "it died")),
        ]
        let names = try states.indices.map { try id("job-\($0)") as JobID }
        let jobs = try zip(names, states).map { try Samples.job($0.text, state: $1) }
        try store.apply(StoreChange(jobs: jobs), .process)
        let needed = try ended("needed")
        let rule = retention(jobs: 0, needed: Set(needed))
        #expect(try forget(rule, day: 0).jobs == [])
        #expect(try forget(rule, day: 1000).jobs == [])
        // One that is settled later has its whole time from then on.
        var resolved = jobs[3]
        resolved.state = .failed(Problem(.daemonDied, "it died"))
        try store.apply(StoreChange(jobs: [resolved]), .process)
        #expect(try forget(retention(), day: 1001).jobs == needed)
        #expect(try forget(retention(), day: 1031).jobs == [resolved.id])
        #expect(try Set(store.newest(10).map(\.id)) == Set(names.prefix(3)))
    }

    @Test("of more jobs than are kept the first that ended go, a few in each transaction")
    func number() throws {
        var all: [JobID] = []
        for number in 0..<50 { all += try ended("job-\(number)") }
        var left = 50
        while true {
            let forgotten = try store.forget(
                retention(jobs: 5, batch: 7),
                at: StoreAge(seconds: 0)
            )
            #expect(forgotten.jobs.count <= 7)
            left -= forgotten.jobs.count
            if !forgotten.isMoreLeft { break }
        }
        #expect(left == 5)
        #expect(try store.newest(50).map(\.id) == all.suffix(5).reversed())
    }

    @Test("ended sessions go by age and number, open ones never")
    func sessions() throws {
        let sessions = try Samples.sessions()
        try store.apply(StoreChange(sessions: sessions), .process)
        let open = Set(sessions.filter { $0.status == .open }.map(\.id))
        #expect(open.count == 3)
        #expect(try forget(retention(sessions: 4), day: 0).sessions.count == 5)
        #expect(try forget(retention(), day: 29).sessions == [])
        #expect(try forget(retention(), day: 30).sessions.count == 4)
        #expect(try Set(store.sessions().map(\.id)) == open)
        // One that ends later counts from then on.
        var closed = try #require(sessions.first { $0.status == .open })
        closed.status = .closed
        try store.apply(StoreChange(sessions: [closed]), .process)
        #expect(try forget(retention(), day: 60).sessions == [])
        #expect(try forget(retention(), day: 90).sessions == [closed.id])
    }

    @Test("a store of an earlier ferryd is taken over, and its past counts from then on")
    func takenOver() throws {
        let jobs = try ended("job-1", "job-2")
        try store.apply(StoreChange(sessions: try Samples.sessions()), .process)
        let earlier = try fixture.copyAfterCrash()
        let database = try DatabaseQueue(path: earlier.path)
        try database.write { connection in
            try connection.execute(
                sql: """
                    DROP INDEX job_settled; DROP INDEX job_unsettled;
                    DROP INDEX session_settled; DROP INDEX session_unsettled; DROP TABLE answer;
                    ALTER TABLE job DROP COLUMN settled;
                    ALTER TABLE session DROP COLUMN settled;
                    ALTER TABLE session DROP COLUMN open;
                    DELETE FROM meta WHERE key = 'age';
                    DROP TABLE audit;
                    DELETE FROM grdb_migrations WHERE identifier IN ('3', '4');
                    INSERT INTO session (id, body) VALUES ('damaged', '{');
                    """
            )
        }
        try database.close()
        let taken = try earlier.open()
        let rule = retention(sessions: 4)
        #expect(try taken.forget(rule, at: StoreAge(seconds: 0)).sessions.count == 5)
        let later = try taken.forget(rule, at: StoreAge(seconds: 30 * day))
        #expect(later.jobs == jobs)
        #expect(later.sessions.count == 4)
        #expect(try taken.sessions().allSatisfy { $0.status == .open })
    }

    @Test("the age of the store is written down, and read again")
    func writtenAge() throws {
        #expect(try store.age() == StoreAge(seconds: 0))
        _ = try store.forget(retention(), at: StoreAge(seconds: 12_345))
        #expect(try fixture.copyAfterCrash().open().age() == StoreAge(seconds: 12_345))
    }
}
