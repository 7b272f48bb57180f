/// What one pre-copy round found of one source.
package struct PreCopyRound: Hashable, Sendable {
    /// `VFIO_MIG_GET_PRECOPY_INFO`, or nil where it failed: that is no convergence.
    package let initialByteCount: UInt64?
    package let dirtyByteCount: UInt64?
    /// `VFIO_DEVICE_FEATURE_MIG_DATA_SIZE`, or nil where a driver cannot tell.
    package let stopCopyByteCount: UInt64?
    /// Measured over this source's transfer beside the others', without the waits of a bandwidth
    /// limit; nil before any bytes.
    package let bytesPerSecond: UInt64?

    package init(
        initialByteCount: UInt64?,
        dirtyByteCount: UInt64?,
        stopCopyByteCount: UInt64?,
        bytesPerSecond: UInt64?
    ) {
        self.initialByteCount = initialByteCount
        self.dirtyByteCount = dirtyByteCount
        self.stopCopyByteCount = stopCopyByteCount
        self.bytesPerSecond = bytesPerSecond
    }

    /// What a switchover now would have to move.
    ///
    /// MIG_DATA_SIZE may count again what pre-copy would still send, so the larger one counts,
    /// never the sum. Nil when PRECOPY_INFO failed.
    package var remainingByteCount: UInt64? {
        guard let initialByteCount, let dirtyByteCount else { return nil }
        let (sum, overflow) = initialByteCount.addingReportingOverflow(dirtyByteCount)
        return max(overflow ? .max : sum, stopCopyByteCount ?? 0)
    }

    /// How long that takes at the measured rate; nil when PRECOPY_INFO failed.
    fileprivate var remainingNanoseconds: UInt64? {
        remainingByteCount.map { remaining in
            let rate = max(1, bytesPerSecond ?? SwitchoverDecision.assumedBytesPerSecond)
            let seconds = Double(remaining) / Double(rate)
            return seconds < 1e9 ? UInt64(seconds * 1e9) : .max
        }
    }
}

/// Whether pre-copy has done its work: the expected downtime fits, and the gate is open.
package struct SwitchoverDecision: Hashable, Sendable {
    /// Taken for the rate until one is measured: one gigabit a second.
    package static let assumedBytesPerSecond: UInt64 = 125_000_000

    package let mode: JobSpec.SwitchoverMode
    /// Changes while the job runs.
    package var downtimeLimitNanoseconds: UInt64
    /// What the SETs of the downtime took in earlier jobs of the same drivers; nil when none is
    /// known.
    package var setNanoseconds: UInt64?
    /// Whether `POST …/switchover` came, or a timeout that asks for it.
    ///
    /// It overrules the downtime limit too.
    package var isGateOpen = false
    private(set) package var expectedDowntimeNanoseconds: UInt64?
    private var lastRounds: [PreCopyRound] = []
    /// Once reached the gate is waited at: dirt that comes later sends no job back a phase.
    private var hasReachedGate = false
    /// The shortest downtime any round led to expect, and when that was.
    private var best: Best?

    private struct Best: Hashable {
        let nanoseconds: UInt64
        let at: UInt64
    }

    package init(
        mode: JobSpec.SwitchoverMode,
        downtimeLimitMilliseconds: UInt64,
        setNanoseconds: UInt64? = nil
    ) {
        self.mode = mode
        self.setNanoseconds = setNanoseconds
        self.downtimeLimitNanoseconds = Self.nanoseconds(downtimeLimitMilliseconds)
    }

    /// Changes the limit of the downtime.
    package mutating func setDowntimeLimit(milliseconds: UInt64) {
        downtimeLimitNanoseconds = Self.nanoseconds(milliseconds)
    }

    /// Takes what the sources found, in a round that ended at `now` on the monotonic clock.
    ///
    /// They move side by side, so the slowest is what the downtime waits for.
    package mutating func didRound(_ rounds: [PreCopyRound], at now: UInt64) {
        lastRounds = rounds
        let transfers = rounds.map(\.remainingNanoseconds)
        expectedDowntimeNanoseconds =
            transfers.contains(nil)
            ? nil
            : transfers.reduce(0) { max($0, $1 ?? 0) }.addingClamped(setNanoseconds ?? 0)
        if let expected = expectedDowntimeNanoseconds, expected < best?.nanoseconds ?? .max {
            best = Best(nanoseconds: expected, at: now)
        }
        if best == nil { best = Best(nanoseconds: .max, at: now) }
        if blockedBy == ["gate"] { hasReachedGate = true }
    }

    /// How long pre-copy has come no nearer to its end; nil when only the word to go is missing.
    package func stalledNanoseconds(at now: UInt64) -> UInt64? {
        guard let best, !isGateOpen, blockedBy != ["gate"], !hasReachedGate else { return nil }
        return now - min(now, best.at)
    }

    /// Every reason against switching over now: `precopy_info`, `initial_bytes`,
    /// `downtime_limit`, `set_durations` (the SETs alone take longer than the limit, so no pre-copy
    /// will do), `gate`.
    package var blockedBy: [String] {
        guard !isGateOpen else { return [] }
        return unready + (mode == .manual ? ["gate"] : [])
    }

    /// Whether to switch over.
    package var isMade: Bool { !lastRounds.isEmpty && blockedBy.isEmpty }

    /// Whether all that is missing is the word to go.
    package var isWaitingForGate: Bool { hasReachedGate && !isGateOpen }

    private var unready: [String] {
        guard !lastRounds.isEmpty, let expectedDowntimeNanoseconds else { return ["precopy_info"] }
        var reasons: [String] = []
        if lastRounds.contains(where: { $0.initialByteCount != 0 }) {
            reasons.append("initial_bytes")
        }
        if expectedDowntimeNanoseconds > downtimeLimitNanoseconds {
            reasons.append("downtime_limit")
        }
        if let setNanoseconds, setNanoseconds > downtimeLimitNanoseconds {
            reasons.append("set_durations")
        }
        return reasons
    }

    private static func nanoseconds(_ milliseconds: UInt64) -> UInt64 {
        let (product, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        return overflow ? .max : product
    }
}

extension UInt64 {
    /// The sum, or the largest number there is.
    func addingClamped(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
