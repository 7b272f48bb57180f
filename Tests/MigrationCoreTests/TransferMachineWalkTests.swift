import MigrationCore
import Testing

@Suite("The transfer machine on random walks")
struct TransferMachineWalkTests {
    @Test("no walk breaks an invariant, and every walk ends", arguments: UInt64(1)...8)
    func walks(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var stepCount = 0
        while stepCount < 15_000 {
            let named = NamedPlan.all[Int.random(in: NamedPlan.all.indices, using: &random)]
            let run = walk(named.plan, &random)
            stepCount += run.performed.count
            #expect(run.outcome != nil, "seed \(seed): \(run.trace)")
            #expect(run.model.violations == [], "seed \(seed): \(run.trace)")
            if run.outcome == nil || !run.model.violations.isEmpty { return }
        }
    }

    private func walk(_ plan: TransferPlan, _ random: inout SplitMix64) -> TransferRun {
        let mode: JobSpec.SwitchoverMode = random.oneIn(3) ? .manual : .auto
        var run = TransferRun(
            plan,
            deviceCount: Int.random(in: 1...4, using: &random),
            mode: mode
        )
        // From a calm walk to one where nearly everything fails.
        let rarity = Int.random(in: 2...20, using: &random)
        while run.outcome == nil, run.performed.count < 500 {
            if run.performed.count > 200 || random.oneIn(10) { run.openGate() }
            if random.oneIn(rarity * 4) {
                run.loseBehindOurBack(random.oneIn(2) ? .source : .target)
            }
            let accident = random.oneIn(rarity) ? Self.accident(&random) : nil
            run.next(accident, round: Self.round(&random))
        }
        return run
    }

    private static func accident(_ random: inout SplitMix64) -> TransferRun.Accident {
        let all = TransferMachineFaultTests.accidents
        return all[Int.random(in: all.indices, using: &random)]
    }

    private static func round(_ random: inout SplitMix64) -> PreCopyRound {
        func count() -> UInt64? {
            switch Int.random(in: 0..<6, using: &random) {
            case 0: nil
            case 1: UInt64.random(in: 0...(.max), using: &random)
            case 2: UInt64.max
            default: 0
            }
        }
        return PreCopyRound(
            initialByteCount: count(),
            dirtyByteCount: count(),
            stopCopyByteCount: count(),
            bytesPerSecond: count()
        )
    }
}
