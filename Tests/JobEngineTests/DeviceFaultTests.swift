import JobEngine
import MigrationCore
import Testing

@Suite("A device that fails once, at every call of every kind of job")
struct DeviceFaultTests {
    @Test(
        "one failed call leaves every job told, every device free, one side running",
        arguments: FaultRun.Work.allCases,
        TapedBackend.Fault.allCases
    )
    func failedCall(_ work: FaultRun.Work, _ fault: TapedBackend.Fault) async throws {
        try await everyCall(work, "mlx5", fault)
    }

    @Test(
        "so it is without pre-copy, and without P2P",
        arguments: ["pds", "hisi_acc"],
        TapedBackend.Fault.allCases
    )
    func otherFlags(_ profile: String, _ fault: TapedBackend.Fault) async throws {
        try await everyCall(.migrate, profile, fault)
    }

    private func everyCall(
        _ work: FaultRun.Work,
        _ profile: String,
        _ fault: TapedBackend.Fault
    ) async throws {
        for number in 1..<300 {
            let run = try await FaultRun(work, profile)
            run.fixture.backend.plan(fault, at: number)
            let view = try #require(try await run.perform())
            let wasReached = run.fixture.tape.callCount >= number
            let audit = try await Audit(run, view)
            let end = "\(view.job.state) \(view.job.mayRun)"
            #expect(audit.findings == [], "\(work) \(profile) \(fault) at \(number): \(end)")
            guard wasReached else {
                #expect(view.job.state == .succeeded)
                return
            }
        }
        Issue.record("the job has no end of calls")
    }
}
