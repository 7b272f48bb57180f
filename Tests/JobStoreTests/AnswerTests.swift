import JobStore
import MigrationCore
import MigrationPorts
import Testing

@Suite("Answers to keyed requests in the store")
struct AnswerTests {
    private let fixture: StoreFixture
    private let store: SQLiteJobStore

    init() throws {
        fixture = try StoreFixture()
        store = try fixture.open()
    }

    private func name(
        _ key: String,
        caller: String = "uid:0",
        path: String = "/v1/jobs"
    ) -> KeyedRequest.Name {
        KeyedRequest.Name(caller: caller, method: "POST", path: path, key: key)
    }

    private func answer(_ name: KeyedRequest.Name, at age: Int64 = 0) -> KeptAnswer {
        KeptAnswer(
            request: name,
            bodyDigest: "0f",
            answer: RequestAnswer(
                status: 202,
                location: "/v1/jobs/a",
                body: (0...255).map { UInt8($0) }
            ),
            keptAt: StoreAge(seconds: age)
        )
    }

    private func change(_ answers: [KeptAnswer], jobs: [Job] = []) -> StoreChange {
        var change = StoreChange(jobs: jobs)
        change.keptAnswers = answers
        return change
    }

    @Test("an answer is kept byte by byte, for its caller, path and key alone, over a crash")
    func kept() throws {
        let one = answer(name("k"), at: 7)
        try store.apply(change([one], jobs: [try Samples.job("job-1")]), .machine)
        let reopened = try fixture.copyAfterCrash().open()
        for store in [store, reopened] {
            #expect(try store.answer(to: name("k")) == one)
            #expect(try store.answer(to: name("K")) == nil)
            #expect(try store.answer(to: name("k", caller: "uid:1")) == nil)
            #expect(try store.answer(to: name("k", path: "/v1/sessions")) == nil)
            #expect(try store.answerCount() == 1)
        }
    }

    @Test("a second answer to a key refuses all of its change")
    func second() throws {
        try store.apply(change([answer(name("k"))]), .process)
        let job = try Samples.job("job-2")
        #expect(throws: Problem.self) {
            try store.apply(change([answer(name("k"))], jobs: [job]), .process)
        }
        #expect(try store.job(job.id) == nil)
        #expect(try store.answerCount() == 1)
        var replaced = change([answer(name("k"), at: 9)], jobs: [job])
        replaced.forgottenAnswers = [name("k")]
        try store.apply(replaced, .process)
        #expect(try store.answer(to: name("k"))?.keptAt == StoreAge(seconds: 9))
        #expect(try store.job(job.id) != nil)
    }

    @Test("answers go when they are old enough, and no earlier")
    func forgotten() throws {
        let answers = (0..<10).map { answer(name("k\($0)"), at: $0) }
        try store.apply(change(answers), .process)
        let rule = Retention(
            seconds: 1000,
            jobLimit: 10,
            sessionLimit: 10,
            auditSeconds: 0,
            auditLimit: 0,
            answerSeconds: 100,
            batchLimit: 3
        )
        #expect(try store.forget(rule, at: StoreAge(seconds: 99)).answerCount == 0)
        let first = try store.forget(rule, at: StoreAge(seconds: 105))
        #expect(first.answerCount == 3)
        #expect(first.isMoreLeft)
        #expect(try store.forget(rule, at: StoreAge(seconds: 105)).answerCount == 3)
        #expect(try store.forget(rule, at: StoreAge(seconds: 105)).answerCount == 0)
        #expect(try store.answer(to: name("k5")) == nil)
        #expect(try store.answer(to: name("k6")) == answers[6])
    }
}
