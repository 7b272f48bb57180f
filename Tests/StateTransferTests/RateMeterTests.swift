import StateTransfer
import Testing

@Suite("RateMeter")
struct RateMeterTests {
    @Test("nothing moved is a rate of 0")
    func nothing() {
        #expect(RateMeter(clock: HandClock()).bytesPerSecond == 0)
    }

    @Test("a steady flow is measured within a tenth")
    func steady() {
        let clock = HandClock()
        let meter = RateMeter(clock: clock)
        for _ in 0..<400 {
            clock.advance(nanoseconds: 10_000_000)
            meter.record(byteCount: 50_000)
        }
        #expect((4_500_000...5_500_000).contains(meter.bytesPerSecond))
    }

    @Test("a flow that stopped is forgotten after the window")
    func forgets() {
        let clock = HandClock()
        let meter = RateMeter(clock: clock)
        meter.record(byteCount: 1 << 30)
        #expect(meter.bytesPerSecond > 0)
        clock.advance(nanoseconds: 1_000_000_000)
        #expect(meter.bytesPerSecond > 0)
        clock.advance(nanoseconds: 1_500_000_000)
        #expect(meter.bytesPerSecond == 0)
    }

    @Test("a change of rate shows within the window")
    func changes() {
        let clock = HandClock()
        let meter = RateMeter(clock: clock)
        for step in 0..<600 {
            clock.advance(nanoseconds: 10_000_000)
            meter.record(byteCount: step < 300 ? 100_000 : 1000)
        }
        #expect((90_000...110_000).contains(meter.bytesPerSecond))
    }

    @Test("counts as large as they come are no trap")
    func huge() {
        let meter = RateMeter(windowNanoseconds: 0, clock: HandClock())
        meter.record(byteCount: .max)
        #expect(meter.bytesPerSecond == 1_000_000_000_000_000_000)
    }
}
