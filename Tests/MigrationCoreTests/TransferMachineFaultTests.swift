import MigrationCore
import Testing

/// Every instruction of every plan fails in every way, and so does every instruction after that.
@Suite("The transfer machine under faults")
struct TransferMachineFaultTests {
    @Test(
        "without faults every plan succeeds and moves what it is to move",
        arguments: NamedPlan.all
    )
    func success(named: NamedPlan) throws {
        for deviceCount in 1...3 {
            var run = TransferRun(named.plan, deviceCount: deviceCount)
            run.run()
            let outcome = try #require(run.outcome)
            #expect(run.model.violations == [])
            #expect(outcome.state == .succeeded)
            #expect(outcome.warnings == [])
            #expect(run.performed.map(\.action) == named.plan.steps.map(\.action))
            switch named.plan.kind {
            case .save: #expect(outcome.source == .untouched && run.model.isImageLeft)
            case .restore: #expect(outcome.mayRun == .target && outcome.target == .loaded)
            case .migrate:
                #expect(outcome.mayRun == .target && outcome.target == .loaded)
                #expect(outcome.source == .emptied)
            case .reset: #expect(outcome.mayRun == .nobody && outcome.source == .emptied)
            }
        }
    }

    @Test("one accident at any instruction breaks no invariant", arguments: NamedPlan.all)
    func oneAccident(named: NamedPlan) {
        for deviceCount in 1...2 {
            for index in 0...named.plan.steps.count {
                for accident in Self.accidents {
                    var run = TransferRun(named.plan, deviceCount: deviceCount)
                    run.run([index: accident])
                    expectSound(run, [index: accident])
                    expectHonest(run, accident)
                }
            }
        }
    }

    @Test(
        "a second accident at any later instruction breaks none either",
        arguments: NamedPlan.some
    )
    func twoAccidents(named: NamedPlan) {
        for index in 0..<named.plan.steps.count {
            for accident in Self.fewAccidents {
                var first = TransferRun(named.plan, deviceCount: 2)
                first.run([index: accident])
                guard index + 1 < first.performed.count else { continue }
                for later in index + 1..<first.performed.count {
                    for second in Self.fewAccidents {
                        let script = [index: accident, later: second]
                        var run = TransferRun(named.plan, deviceCount: 2)
                        run.run(script)
                        expectSound(run, script)
                    }
                }
            }
        }
    }

    static let accidents: [TransferRun.Accident] =
        [
            .fault(.elsewhere), .fault(.afterEffect), .interruption(.cancelled),
            .interruption(.unplugRequested),
        ]
        + ProtocolModel.Wreck.allCases.flatMap { wreck in
            [0, 1, 2, .max].flatMap { arcs in
                ProtocolModel.Others.allCases.map { others in
                    .fault(.device(wreck: wreck, arcs: arcs, others: others))
                }
            }
        }

    static let fewAccidents: [TransferRun.Accident] =
        [.fault(.elsewhere), .fault(.afterEffect), .interruption(.cancelled)]
        + ProtocolModel.Wreck.allCases.map { wreck in
            .fault(.device(wreck: wreck, arcs: 1, others: .done))
        }
        + [.fault(.device(wreck: .stays, arcs: 0, others: .halfway))]

    private func expectSound(_ run: TransferRun, _ script: [Int: TransferRun.Accident]) {
        guard run.outcome == nil || !run.model.violations.isEmpty else { return }
        #expect(run.outcome != nil, "no end: \(script) \(run.trace)")
        #expect(run.model.violations == [], "\(script) \(run.trace)")
    }

    /// One accident, and a way back without any: nothing may be left but what it broke.
    private func expectHonest(_ run: TransferRun, _ accident: TransferRun.Accident) {
        guard let outcome = run.outcome, run.machine.plan.kind != .reset else { return }
        guard !run.model.isDecided, outcome.state != .succeeded else { return }
        var isHonest = run.model.areTargetsTidied || outcome.target == .untouched
        isHonest = isHonest && !run.model.isImageLeft
        if accident == .interruption(.cancelled) {
            isHonest = isHonest && outcome.state == .cancelled
        } else if case .failed = outcome.state {
            // As it should be.
        } else {
            isHonest = false
        }
        if run.machine.plan.hasSource, outcome.sources.allSatisfy({ $0 == .lost }) {
            isHonest = isHonest && outcome.mayRun == .nobody
        } else if run.machine.plan.hasSource {
            isHonest = isHonest && outcome.mayRun == .source && run.model.areSourcesRunning
        }
        #expect(isHonest, "\(accident) \(run.trace)")
    }
}
