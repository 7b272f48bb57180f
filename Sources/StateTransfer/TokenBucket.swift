/// Bytes that may move at a rate, as a pure value: every taking moves on the time at which the
/// next one may be, and idle time is saved up for ``burstNanoseconds`` only.
package struct TokenBucket {
    package enum Answer: Hashable {
        case taken(Int)
        /// Nothing for so long, unless something is given back.
        case emptyFor(nanoseconds: UInt64)
    }

    /// How much idle time counts; also about how long one taking lasts, so that waits are short.
    package static let burstNanoseconds: UInt64 = 50_000_000
    private static let chunkBounds = UInt64(4096)...UInt64(1 << 20)

    private let bytesPerSecond: UInt64
    /// Bounds one taking.
    package let chunkByteCount: Int
    /// When the bytes taken so far have all been paid for.
    private var paidAt: UInt64 = 0

    /// A rate of 0 counts as 1: a job that never ends must be asked for in another way.
    package init(bytesPerSecond: UInt64) {
        self.bytesPerSecond = max(1, bytesPerSecond)
        let chunk = bytesPerSecond / (1_000_000_000 / Self.burstNanoseconds)
        let bounds = Self.chunkBounds
        chunkByteCount = Int(min(max(chunk, bounds.lowerBound), bounds.upperBound))
    }

    package mutating func take(upTo wanted: Int, at now: UInt64) -> Answer {
        let earliest = now - min(now, Self.burstNanoseconds)
        let start = max(paidAt, earliest)
        guard start <= now else { return .emptyFor(nanoseconds: start - now) }
        let count = min(wanted, chunkByteCount)
        paidAt = start + cost(count)
        return .taken(count)
    }

    package mutating func giveBack(_ byteCount: Int) {
        let cost = cost(min(max(byteCount, 0), chunkByteCount))
        paidAt -= min(paidAt, cost)
    }

    /// Nanoseconds of so many bytes, at most a chunk: the product fits in 64 bits.
    private func cost(_ byteCount: Int) -> UInt64 {
        UInt64(byteCount) * 1_000_000_000 / bytesPerSecond
    }
}
