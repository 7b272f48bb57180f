/// What one pre-copy round found, of all sources together.
package struct PreCopyRound: Hashable, Sendable {
    /// Sums of `VFIO_MIG_GET_PRECOPY_INFO`, or nil where it failed: that is no convergence.
    package let initialByteCount: UInt64?
    package let dirtyByteCount: UInt64?
    /// Sum of `VFIO_DEVICE_FEATURE_MIG_DATA_SIZE`, or nil where a driver cannot tell.
    package let stopCopyByteCount: UInt64?
    /// Measured over the transfer without the waits of a bandwidth limit; nil before any bytes.
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
}

/// Whether pre-copy has done its work: the expected downtime fits, and the gate is open.
package struct SwitchoverDecision: Hashable, Sendable {
    /// Taken for the rate until one is measured: one gigabit a second.
    package static let assumedBytesPerSecond: UInt64 = 125_000_000

    package let mode: JobSpec.SwitchoverMode
    package let downtimeLimitNanoseconds: UInt64
    /// Whether `POST …/switchover` came.
    ///
    /// It overrules the downtime limit too.
    package var isGateOpen = false
    private(set) package var expectedDowntimeNanoseconds: UInt64?
    private var lastRound: PreCopyRound?
    /// Once reached the gate is waited at: dirt that comes later sends no job back a phase.
    private var hasReachedGate = false

    package init(mode: JobSpec.SwitchoverMode, downtimeLimitMilliseconds: UInt64) {
        self.mode = mode
        let (limit, overflow) = downtimeLimitMilliseconds.multipliedReportingOverflow(
            by: 1_000_000
        )
        self.downtimeLimitNanoseconds = overflow ? .max : limit
    }

    package mutating func didRound(_ round: PreCopyRound) {
        lastRound = round
        expectedDowntimeNanoseconds = round.remainingByteCount.map { remaining in
            let rate = max(1, round.bytesPerSecond ?? Self.assumedBytesPerSecond)
            let seconds = Double(remaining) / Double(rate)
            return seconds < 1e9 ? UInt64(seconds * 1e9) : .max
        }
        if blockedBy == ["gate"] { hasReachedGate = true }
    }

    /// Every reason against switching over now: `precopy_info`, `initial_bytes`,
    /// `downtime_limit`, `gate`.
    package var blockedBy: [String] {
        guard !isGateOpen else { return [] }
        return unready + (mode == .manual ? ["gate"] : [])
    }

    /// Whether to switch over.
    package var isMade: Bool { lastRound != nil && blockedBy.isEmpty }

    /// Whether all that is missing is the word to go.
    package var isWaitingForGate: Bool { hasReachedGate && !isGateOpen }

    private var unready: [String] {
        guard let lastRound, let expectedDowntimeNanoseconds else { return ["precopy_info"] }
        var reasons: [String] = []
        if lastRound.initialByteCount != 0 { reasons.append("initial_bytes") }
        if expectedDowntimeNanoseconds > downtimeLimitNanoseconds {
            reasons.append("downtime_limit")
        }
        return reasons
    }
}
