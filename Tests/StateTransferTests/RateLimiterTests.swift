import Dispatch
import Glibc
import StateTransfer
import Synchronization
import Testing

@Suite("RateLimiter", .timeLimit(.minutes(10)))
struct RateLimiterTests {
    @Test(
        "no more bytes move than the rate allows, and hardly fewer",
        arguments: [1, 4096, 100_000, 12_345_678, 400_000_000] as [UInt64]
    )
    func rate(bytesPerSecond: UInt64) {
        let clock = HandClock()
        let limiter = RateLimiter(bytesPerSecond: bytesPerSecond, clock: clock) { _, nanoseconds in
            clock.advance(nanoseconds: nanoseconds)
        }
        let start = clock.monotonicNanoseconds()
        var moved = 0
        for _ in 0..<500 {
            let count = limiter.admit(upTo: 1 << 20, unless: { false })
            #expect((1...1 << 20).contains(count))
            moved += count
        }
        let seconds = Double(clock.monotonicNanoseconds() - start) / 1e9
        let rate = Double(bytesPerSecond)
        // A burst of 50 ms and one chunk may be ahead of the time.
        let chunk: Double = max(4096, min(rate / 20, 1_048_576))
        let slack: Double = rate * 0.05 + chunk + 1
        #expect(Double(moved) <= rate * seconds + slack)
        #expect(Double(moved) >= rate * seconds * 0.999)
    }

    @Test("what is given back can be taken again at once")
    func givesBack() {
        let clock = HandClock()
        let waits = Mutex(0)
        let limiter = RateLimiter(bytesPerSecond: 4096, clock: clock) { _, nanoseconds in
            waits.withLock { $0 += 1 }
            clock.advance(nanoseconds: nanoseconds)
        }
        for _ in 0..<100 {
            let count = limiter.admit(upTo: 4096, unless: { false })
            limiter.giveBack(count)
        }
        #expect(waits.withLock { $0 } == 0)
    }

    @Test("a bucket saves up no more than its burst over an idle time")
    func burst() {
        var bucket = TokenBucket(bytesPerSecond: 1_000_000)
        let later: UInt64 = 3_600_000_000_000
        var taken = 0
        while case .taken(let count) = bucket.take(upTo: 1 << 20, at: later) { taken += count }
        #expect(taken == 2 * bucket.chunkByteCount)
    }

    @Test("a bucket tells exactly how long it stays empty")
    func emptyFor() {
        var bucket = TokenBucket(bytesPerSecond: 1_000_000)
        let now: UInt64 = 1_000_000_000
        while case .taken = bucket.take(upTo: 1 << 20, at: now) {}
        guard case .emptyFor(let nanoseconds) = bucket.take(upTo: 1, at: now) else {
            Issue.record("the bucket is not empty")
            return
        }
        #expect(bucket.take(upTo: 1, at: now + nanoseconds - 1) == .emptyFor(nanoseconds: 1))
        #expect(bucket.take(upTo: 1, at: now + nanoseconds) == .taken(1))
    }

    @Test("a rate of 0 and the largest rate are no traps", arguments: [0, UInt64.max])
    func extremes(bytesPerSecond: UInt64) {
        var bucket = TokenBucket(bytesPerSecond: bytesPerSecond)
        #expect(bucket.take(upTo: 4096, at: 0) == .taken(4096))
        bucket.giveBack(.max)
        bucket.giveBack(-1)
        #expect(bucket.take(upTo: 1, at: 1 << 63) == .taken(1))
    }

    @Test("lifting the cap ends a wait, and admits everything from then on")
    func lifts() {
        let waiter = BlockedAdmission()
        waiter.limiter.lift()
        #expect(waiter.result() == 1 << 20)
        #expect(waiter.limiter.isLifted)
        #expect(waiter.limiter.admit(upTo: 77, unless: { false }) == 77)
    }

    @Test("a cancel wakes who waits")
    func wakes() {
        let waiter = BlockedAdmission()
        waiter.stop()
        waiter.limiter.wake()
        #expect(waiter.result() == 0)
        #expect(!waiter.limiter.isLifted)
    }

    @Test("a cancel that comes just before the wait is not missed")
    func wakesBeforeWaiting() {
        let clock = HandClock()
        let limiter = RateLimiter(bytesPerSecond: 1, clock: clock) { _, _ in
            Issue.record("waited after the cancel")
        }
        while limiter.admit(upTo: 4096, unless: { true }) != 0 {}
        #expect(limiter.admit(upTo: 4096, unless: { true }) == 0)
    }
}

/// Somebody who waits on a limiter whose clock stands still: only a wake can end that.
private final class BlockedAdmission: Sendable {
    let limiter: RateLimiter
    private let isStopped = Mutex(false)
    private let admitted = Mutex<Int?>(nil)
    private let done = DispatchSemaphore(value: 0)

    init() {
        let waiting = DispatchSemaphore(value: 0)
        limiter = RateLimiter(bytesPerSecond: 1, clock: HandClock()) { signal, _ in
            waiting.signal()
            signal.wait()
        }
        while limiter.admitWithoutWaiting() {}
        DispatchQueue(label: "waiter").async { [self] in
            let count = limiter.admit(upTo: 1 << 20) { isStopped.withLock { $0 } }
            admitted.withLock { $0 = count }
            done.signal()
        }
        #expect(waiting.wait(timeout: .now() + 60) == .success)
    }

    func stop() { isStopped.withLock { $0 = true } }

    func result() -> Int? {
        #expect(done.wait(timeout: .now() + 60) == .success)
        return admitted.withLock { $0 }
    }
}

extension RateLimiter {
    /// Empties the bucket by one chunk; false when it was empty.
    fileprivate func admitWithoutWaiting() -> Bool { admit(upTo: 4096, unless: { true }) != 0 }
}
