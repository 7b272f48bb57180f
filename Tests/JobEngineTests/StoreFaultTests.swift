import JobEngine
import MigrationCore
import Testing

@Suite("A store that fails once, or from once on, at every write of every kind of job")
struct StoreFaultTests {
    @Test(
        "one refused write leaves every job told, every device free, one side running",
        arguments: FaultRun.Work.allCases,
        ["mlx5", "pds"]
    )
    func refusedWrite(_ work: FaultRun.Work, _ profile: String) async throws {
        try await everyWrite(work, profile, checkingProof: true) { .at($0) }
    }

    @Test(
        "a store that is gone from a write on leaves every job told, and one side running",
        arguments: FaultRun.Work.allCases
    )
    func goneStore(_ work: FaultRun.Work) async throws {
        try await everyWrite(work, "mlx5") { .from($0) }
    }

    @Test(
        "a write that was made and said to be lost leads to no second runner",
        arguments: FaultRun.Work.allCases
    )
    func doubtfulWrite(_ work: FaultRun.Work) async throws {
        try await everyWrite(work, "mlx5") { .afterWrite($0) }
    }

    private func everyWrite(
        _ work: FaultRun.Work,
        _ profile: String,
        checkingProof isProofChecked: Bool = false,
        _ fault: (Int) -> TapedStore.Fault
    ) async throws {
        for number in 1..<200 {
            let run = try await FaultRun(work, profile)
            run.fixture.store.plan(fault(number))
            let view = try await run.perform()
            let wasReached = run.fixture.tape.writeCount >= number
            let audit = try await Audit(run, view)
            let end = view.map { "\($0.job.state) \($0.job.mayRun)" } ?? "refused"
            #expect(audit.findings == [], "\(work) \(profile) \(fault(number)): \(end)")
            if isProofChecked { try checkProof(run, view, number) }
            try checkRestart(run, view, number)
            guard wasReached else {
                #expect(number > 3)
                return
            }
        }
        Issue.record("the job has no end of writes")
    }

    /// A success is told by the journal too, although one of its lines was refused at first.
    private func checkProof(_ run: FaultRun, _ view: JobView?, _ number: Int) throws {
        guard let job = view?.job, job.state == .succeeded else { return }
        let lines = try run.fixture.engine.journal(of: job.id, after: 0, limit: 1000)
        for target in job.spec.work.targets {
            let isTold = lines.contains { line in
                guard case .done("set", target, let arc?, _) = line.entry.line else { return false }
                return arc.to == .running
            }
            #expect(isTold, "write \(number): \(target)")
        }
    }

    /// What the next daemon makes of it never lets the source run after a commit.
    private func checkRestart(_ run: FaultRun, _ view: JobView?, _ number: Int) throws {
        guard let job = view?.job else { return }
        try run.fixture.restart("mlx5:\(FaultRun.specification)")
        let settled = try run.fixture.engine.job(job.id).job
        #expect(settled.state.isTerminal, "write \(number)")
        if settled.state != job.state {
            #expect(settled.state != .succeeded || work(job) == .save, "write \(number)")
            #expect(settled.mayRun != .source, "write \(number)")
        }
    }

    private func work(_ job: Job) -> JobKind { job.spec.work.kind }
}
