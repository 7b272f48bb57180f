import MigrationCore
import Testing

@Suite("When to switch over")
struct SwitchoverDecisionTests {
    private static func round(
        initial: UInt64? = 0,
        dirty: UInt64? = 0,
        stopCopy: UInt64? = nil,
        rate: UInt64? = 1_000
    ) -> PreCopyRound {
        PreCopyRound(
            initialByteCount: initial,
            dirtyByteCount: dirty,
            stopCopyByteCount: stopCopy,
            bytesPerSecond: rate
        )
    }

    private static func decision(
        _ mode: JobSpec.SwitchoverMode = .auto,
        milliseconds: UInt64 = 300,
        after rounds: PreCopyRound...
    ) -> SwitchoverDecision {
        var decision = SwitchoverDecision(mode: mode, downtimeLimitMilliseconds: milliseconds)
        for round in rounds { decision.didRound([round], at: 0) }
        return decision
    }

    @Test("nothing is decided before the first round, gate or no gate")
    func beforeTheFirstRound() {
        var decision = Self.decision()
        #expect(!decision.isMade)
        #expect(decision.blockedBy == ["precopy_info"])
        #expect(decision.expectedDowntimeNanoseconds == nil)
        decision.isGateOpen = true
        #expect(!decision.isMade)
        decision.didRound([Self.round(initial: nil)], at: 0)
        #expect(decision.isMade)
    }

    @Test("the limit itself still fits, one byte more does not")
    func limit() {
        let fits = Self.decision(after: Self.round(dirty: 300))
        #expect(fits.isMade)
        #expect(fits.expectedDowntimeNanoseconds == 300_000_000)
        let over = Self.decision(after: Self.round(dirty: 301))
        #expect(!over.isMade)
        #expect(over.blockedBy == ["downtime_limit"])
        #expect(Self.decision(milliseconds: 0, after: Self.round()).isMade)
        #expect(!Self.decision(milliseconds: 0, after: Self.round(dirty: 1)).isMade)
    }

    @Test("the larger of what is left and what STOP_COPY would give counts, never their sum")
    func largerOne() {
        #expect(Self.round(initial: 0, dirty: 200, stopCopy: 300).remainingByteCount == 300)
        #expect(Self.round(initial: 0, dirty: 300, stopCopy: 200).remainingByteCount == 300)
        #expect(Self.round(initial: 1, dirty: 2, stopCopy: nil).remainingByteCount == 3)
        #expect(Self.decision(after: Self.round(dirty: 200, stopCopy: 300)).isMade)
        #expect(!Self.decision(after: Self.round(stopCopy: 301)).isMade)
    }

    @Test("initial bytes that are left block it, however few")
    func initialBytes() {
        let decision = Self.decision(after: Self.round(initial: 1))
        #expect(decision.blockedBy == ["initial_bytes"])
        let both = Self.decision(after: Self.round(initial: .max))
        #expect(both.blockedBy == ["initial_bytes", "downtime_limit"])
    }

    @Test(
        "PRECOPY_INFO that failed is no convergence, even after a round that was",
        arguments: [round(initial: nil), round(dirty: nil), round(initial: nil, dirty: nil)]
    )
    func failedInfo(round: PreCopyRound) {
        #expect(round.remainingByteCount == nil)
        let decision = Self.decision(after: Self.round(), round)
        #expect(!decision.isMade)
        #expect(decision.blockedBy == ["precopy_info"])
        #expect(decision.expectedDowntimeNanoseconds == nil)
    }

    @Test("no number of the kernel's or the client's traps")
    func bounds() {
        let numbers: [UInt64?] = [nil, 0, 1, 1 << 53, .max - 1, .max]
        for limit in [0, 1, 18_446_744_073_709, 18_446_744_073_710, UInt64.max] {
            for initial in numbers {
                for dirty in numbers {
                    for stopCopy in numbers {
                        for rate in numbers {
                            let round = Self.round(
                                initial: initial,
                                dirty: dirty,
                                stopCopy: stopCopy,
                                rate: rate
                            )
                            let decision = Self.decision(milliseconds: limit, after: round)
                            if decision.isMade { #expect(initial == 0 && dirty != nil) }
                        }
                    }
                }
            }
        }
    }

    @Test("sums and products beyond 64 bits stay at the largest number")
    func saturation() {
        #expect(Self.round(initial: .max, dirty: .max).remainingByteCount == .max)
        #expect(Self.round(initial: 1, dirty: .max).remainingByteCount == .max)
        let huge = SwitchoverDecision(mode: .auto, downtimeLimitMilliseconds: .max)
        #expect(huge.downtimeLimitNanoseconds == .max)
        let slow = Self.decision(after: Self.round(dirty: .max, rate: 0))
        #expect(slow.expectedDowntimeNanoseconds == .max)
        #expect(!slow.isMade)
    }

    @Test("a rate of 0 and no rate at all are not the same")
    func rates() {
        let none = Self.decision(after: Self.round(dirty: 125_000_000, rate: nil))
        #expect(none.expectedDowntimeNanoseconds == 1_000_000_000)
        let stalled = Self.decision(after: Self.round(dirty: 2, rate: 0))
        #expect(stalled.expectedDowntimeNanoseconds == 2_000_000_000)
    }

    @Test("a manual switchover waits at the gate, and once there stays there")
    func manualGate() {
        var decision = Self.decision(.manual, after: Self.round(initial: 5))
        #expect(decision.blockedBy == ["initial_bytes", "gate"])
        #expect(!decision.isWaitingForGate)
        decision.didRound([Self.round()], at: 0)
        #expect(decision.blockedBy == ["gate"])
        #expect(decision.isWaitingForGate)
        #expect(!decision.isMade)
        decision.didRound([Self.round(dirty: .max)], at: 0)
        #expect(decision.isWaitingForGate)
        #expect(decision.blockedBy == ["downtime_limit", "gate"])
        decision.isGateOpen = true
        #expect(!decision.isWaitingForGate)
        #expect(decision.isMade)
    }

    @Test("the word to go overrules every reason")
    func overrule() {
        for mode in [JobSpec.SwitchoverMode.auto, .manual] {
            for round in [Self.round(initial: .max, dirty: .max), Self.round(dirty: nil)] {
                var decision = Self.decision(mode, after: round)
                #expect(!decision.isMade)
                decision.isGateOpen = true
                #expect(decision.blockedBy == [])
                #expect(decision.isMade)
            }
        }
    }
}
