import JobEngine
import MigrationCore
import Testing

@Suite("A set of devices of which one fails, at every call")
struct SetFaultTests {
    private static let spec = "mlx5:count=4,state=64KiB,seed=11"

    /// What must be true of a set, whatever happened to one device of it.
    private struct Claims {
        let fixture: EngineFixture
        let pairs: [JobSpec.DevicePair]
        let before: [String]

        /// Whether a device acts and holds what was to be moved.
        private func acts(_ device: DeviceID, _ content: String) throws -> Bool {
            guard let session = fixture.backend.session(device.text), !session.isGone,
                !session.isInError,
                case .known(let state)? = try fixture.engine.device(device).record.debugState
            else { return false }
            return try state.canAct && fixture.digest(device.text) == content
        }

        func findings(_ job: Job) throws -> [String] {
            var findings = TapeRules(job.spec).violations(in: fixture.tape.entries)
            let sources = try zip(pairs, before).map { try acts($0.source, $1) }
            let targets = try zip(pairs, before).map { try acts($0.target, $1) }
            let runs = "sources \(sources), targets \(targets)"
            switch job.mayRun {
            case .source:
                if targets.contains(true) || !sources.contains(true) { findings.append(runs) }
                // One that does not run must be called by its fate.
                for (pair, runs) in zip(pairs, sources) where !runs {
                    let isTold = job.devices.contains {
                        $0.device == pair.source && $0.content == .lost
                    }
                    if !isTold { findings.append("\(pair.source) is stopped and not told") }
                }
            case .target:
                if sources.contains(true) || targets.contains(false) { findings.append(runs) }
            case .nobody:
                if sources.contains(true) || targets.contains(true) { findings.append(runs) }
            case .unknown:
                if sources.contains(true), targets.contains(true) { findings.append(runs) }
            }
            if !job.state.isTerminal { findings.append("it has not ended") }
            return findings
        }
    }

    @Test(
        "one failed call on any device leaves the set told, and one side running",
        arguments: TapedBackend.Fault.allCases
    )
    func everyCall(_ fault: TapedBackend.Fault) async throws {
        for number in 1..<400 {
            let fixture = try EngineFixture(Self.spec)
            let pairs = try SetTests.pairs(fixture, 2)
            let claims = Claims(
                fixture: fixture,
                pairs: pairs,
                before: try pairs.map { try fixture.digest($0.source.text) }
            )
            fixture.backend.plan(fault, at: number)
            fixture.tape.start()
            let view = try await fixture.run(
                JobSpec(work: .migrate(pairs: pairs, discard: false))
            )
            fixture.tape.stop()
            let wasReached = fixture.tape.callCount >= number
            let findings = try claims.findings(view.job)
            let end = "\(view.job.state) \(view.job.mayRun)"
            #expect(findings == [], "\(fault) at \(number): \(end)")
            guard wasReached else {
                #expect(view.job.state == .succeeded)
                #expect(number > 30)
                return
            }
        }
        Issue.record("the job has no end of calls")
    }

    @Test("a cancel between any two writes of a set ends on one side")
    func cancelAtEveryWrite() async throws {
        for number in 1..<200 {
            let fixture = try EngineFixture(Self.spec)
            let pairs = try SetTests.pairs(fixture, 2)
            let claims = Claims(
                fixture: fixture,
                pairs: pairs,
                before: try pairs.map { try fixture.digest($0.source.text) }
            )
            let answer = CancelAnswer()
            let engine = fixture.engine
            let id = try #require(JobID("cancelled"))
            fixture.store.observe { write in
                guard write == number else { return }
                answer.ask { () throws(Problem) in try engine.cancel(id) }
            }
            fixture.tape.start()
            _ = try engine.submit(
                JobSpec(id: id, work: .migrate(pairs: pairs, discard: false)),
                requestedBy: "test"
            )
            let view = try await fixture.end(of: id)
            let wasReached = fixture.tape.writeCount >= number
            if wasReached { try await answer.wait() }
            fixture.tape.stop()
            let findings = try claims.findings(view.job)
            #expect(findings == [], "write \(number): \(view.job.state), \(answer.text)")
            guard wasReached else { return }
        }
        Issue.record("the job has no end of writes")
    }
}
