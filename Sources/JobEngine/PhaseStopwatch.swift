internal import MigrationCore

/// Measures the phases of one job on the monotonic clock, and the downtime: from entering the
/// first phase that quiesces to leaving the one that starts.
struct PhaseStopwatch {
    private var times: [PhaseTime] = []
    private var startedAt: UInt64 = 0
    private var downSince: UInt64?
    private(set) var downtimeNanoseconds: UInt64?

    /// Whether the phase is a new one.
    mutating func enter(_ phase: JobPhase, at now: UInt64, _ timestamp: Timestamp) -> Bool {
        guard times.last?.phase != phase else { return false }
        end(at: now)
        times.append(PhaseTime(phase: phase, startedAt: timestamp))
        startedAt = now
        if phase == .quiesce || phase == .stopCopy, downSince == nil { downSince = now }
        return true
    }

    mutating func end(at now: UInt64) {
        guard let last = times.last, last.nanoseconds == nil else { return }
        times[times.count - 1].nanoseconds = now - startedAt
        if last.phase == .start, let downSince { downtimeNanoseconds = now - downSince }
    }

    func write(into job: inout Job) {
        job.phaseTimes = times
        job.actualDowntimeNanoseconds = downtimeNanoseconds
    }
}
