import JobEngine
import MigrationCore
import Testing

@Suite("Limits while a job runs")
struct LiveLimitTests {
    /// A migrate that pre-copy alone never ends: as much gets dirty as the cap lets through.
    private static func endless(
        _ fixture: EngineFixture,
        _ limits: JobSpec.Limits
    ) throws -> JobSpec {
        JobSpec(
            work: .migrate(pairs: try SetTests.pairs(fixture, 1), discard: false),
            limits: limits
        )
    }

    private static let capped = JobSpec.Limits(
        bandwidthBytesPerSecond: 4 << 20,
        downtimeMilliseconds: 1
    )
    private static let spec = "mlx5:count=2,state=16MiB,dirty=64MiB,seed=2"

    @Test("a lifted cap and a longer downtime let a job end that would not")
    func change() async throws {
        let fixture = try EngineFixture(Self.spec)
        let job = try fixture.engine.submit(
            try Self.endless(fixture, Self.capped),
            requestedBy: "test"
        )
        _ = try await fixture.view(of: job.job.id) { $0.job.phase == .preCopy }
        let stale = #expect(throws: Problem.self) {
            _ = try fixture.engine.changeLimits(
                of: job.job.id,
                to: JobSpec.Limits(),
                ifRevision: [7]
            )
        }
        #expect(stale?.code == .preconditionFailed)
        let limits = JobSpec.Limits(downtimeMilliseconds: 3_600_000)
        let changed = try fixture.engine.changeLimits(
            of: job.job.id,
            to: limits,
            ifRevision: [job.job.limitsRevision]
        )
        #expect(changed.job.limits == limits)
        #expect(changed.job.limitsRevision == 2)
        let end = try await fixture.end(of: job.job.id)
        #expect(end.job.state == .succeeded)
        let lines = try fixture.engine.journal(of: job.job.id, after: 0, limit: 100)
        #expect(lines.contains { $0.entry.line == .limitsChanged(limits) })
        let late = #expect(throws: Problem.self) {
            _ = try fixture.engine.changeLimits(of: job.job.id, to: limits, ifRevision: nil)
        }
        #expect(late?.code == .jobFinished)
    }

    @Test("no progress calls a job off, switches it over, or is told, as it was asked for")
    func noProgress() async throws {
        for policy in JobSpec.OnTimeout.allCases {
            let fixture = try EngineFixture(Self.spec)
            var limits = Self.capped
            limits.progressTimeoutSeconds = 1
            limits.onTimeout = policy
            let job = try fixture.engine.submit(
                try Self.endless(fixture, limits),
                requestedBy: "test"
            )
            if policy == .goOn {
                _ = try await fixture.view(of: job.job.id) { view in
                    view.job.warnings.contains { $0.contains("no nearer") }
                }
                #expect(try fixture.engine.job(job.job.id).job.state == .running)
                _ = try fixture.engine.cancel(job.job.id)
            }
            let end = try await fixture.end(of: job.job.id)
            let lines = try fixture.engine.journal(of: job.job.id, after: 0, limit: 200)
            let isForced = lines.contains {
                if case .switchoverForced = $0.entry.line { true } else { false }
            }
            switch policy {
            case .cancel:
                #expect(end.job.state.problem?.code == .timedOut)
                #expect(end.job.mayRun == .source)
            case .switchOver: #expect(end.job.state == .succeeded)
            case .goOn: #expect(end.job.state == .cancelled)
            }
            #expect(isForced == (policy == .switchOver))
        }
    }

    @Test("a completion limit that is moved before now has come")
    func completion() async throws {
        let fixture = try EngineFixture(Self.spec)
        let job = try fixture.engine.submit(
            try Self.endless(fixture, Self.capped),
            requestedBy: "test"
        )
        _ = try await fixture.view(of: job.job.id) { $0.job.phase == .preCopy }
        var limits = Self.capped
        limits.completionTimeoutSeconds = 0
        limits.onTimeout = .switchOver
        _ = try fixture.engine.changeLimits(of: job.job.id, to: limits, ifRevision: nil)
        let end = try await fixture.end(of: job.job.id)
        #expect(end.job.state == .succeeded)
        #expect(end.job.warnings.contains { $0.contains("was not complete") })
    }
}
