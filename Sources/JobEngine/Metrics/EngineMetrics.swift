internal import MigrationCore
internal import Synchronization

/// What the engine measures as things happen, from the daemon's start on.
final class EngineMetrics: Sendable {
    let arcs = InstrumentFamily(
        "ferry_arc_duration_seconds",
        "Time the device took for a SET that worked, by the ends of the arc and the driver.",
        by: ["from", "to", "driver"],
        in: .calls
    )
    let arcFailures = InstrumentFamily<Counter>(
        "ferry_arc_failures_total",
        "SETs that failed, by the ends of the arc, the driver and the errno.",
        by: ["from", "to", "driver", "errno"]
    )
    let phases = InstrumentFamily(
        "ferry_phase_duration_seconds",
        "Time of a phase of an ended run of a job.",
        by: ["kind", "phase"],
        in: .phases
    )
    let downtimes = InstrumentFamily(
        "ferry_downtime_seconds",
        "Downtime of jobs that succeeded: what was expected at the switchover, what it was.",
        by: ["which"],
        in: .downtimes
    )
    let jobs = InstrumentFamily<Counter>(
        "ferry_jobs_total",
        "Jobs that ended, by kind and by the state they ended in.",
        by: ["kind", "state"]
    )
    let queueWaits = InstrumentFamily(
        "ferry_job_queue_duration_seconds",
        "Time a job waited for its workers, from its acceptance on.",
        by: ["kind"],
        in: .phases
    )
    let transferred = InstrumentFamily<Counter>(
        "ferry_transferred_bytes_total",
        "Bytes of device state that were read from sources and written to targets.",
        by: ["kind", "direction"]
    )
    let lockRefusals = InstrumentFamily<Counter>(
        "ferry_lock_refusals_total",
        "Requests refused because something else has the device to itself.",
        by: ["holder"]
    )
    let overloads = InstrumentFamily<Counter>(
        "ferry_overload_refusals_total",
        "Requests refused because a queue was full.",
        by: ["queue"]
    )
    let storeWrites = InstrumentFamily(
        "ferry_store_write_duration_seconds",
        "Time of a transaction of the store that worked, by what it survives.",
        by: ["durability"],
        in: .calls
    )
    let storeFailures = InstrumentFamily<Counter>(
        "ferry_store_failures_total",
        "Calls of the store that failed.",
        by: ["operation"]
    )
    /// When the write-ahead log was last moved into the store; 0 when it was not.
    ///
    /// In milliseconds since 1970.
    let lastCheckpoint = Atomic<Int64>(0)
    /// The transfers that run.
    ///
    /// A leaf.
    private let running = Mutex<[JobID: TransferMetrics]>([:])

    func didBegin(_ transfer: TransferMetrics) {
        running.withLock { $0[transfer.job] = transfer }
    }

    func didEnd(_ transfer: TransferMetrics) {
        running.withLock { $0[transfer.job] = nil }
    }

    /// The transfers that run, by the ids of their jobs.
    var transfers: [TransferMetrics] {
        running.withLock { Array($0.values) }.sorted { $0.job < $1.job }
    }

    /// Counts the end of a job.
    func didEnd(_ job: Job, _ state: JobState, expectedDowntimeNanoseconds: UInt64?) {
        jobs.of(job.spec.work.kind.rawValue, state.name).add()
        // Of the others the downtime has another end than the one that was expected.
        guard state == .succeeded, let actual = job.actualDowntimeNanoseconds else { return }
        downtimes.of("actual").observe(nanoseconds: actual)
        guard let expectedDowntimeNanoseconds else { return }
        downtimes.of("expected").observe(nanoseconds: expectedDowntimeNanoseconds)
    }

    /// Counts the phases of one run of a job.
    func didRun(_ job: Job) {
        for time in job.phaseTimes {
            guard let nanoseconds = time.nanoseconds else { continue }
            phases.of(job.spec.work.kind.rawValue, time.phase.rawValue)
                .observe(nanoseconds: nanoseconds)
        }
    }

    /// Counts a SET that returned.
    func didSet(
        _ from: DeviceState?,
        _ to: DeviceState,
        _ driver: String,
        _ report: DrivenDevice.SetReport
    ) {
        let from = from?.name ?? "unknown"
        guard let failure = report.failure else {
            return arcs.of(from, to.name, driver).observe(nanoseconds: report.nanoseconds)
        }
        let errno = failure.problem.facts.errno?.name ?? "none"
        arcFailures.of(from, to.name, driver, errno).add()
    }

    /// What was measured so far.
    var families: [MetricFamily] {
        [
            arcs.reading, arcFailures.reading, phases.reading, downtimes.reading, jobs.reading,
            queueWaits.reading, transferred.reading, lockRefusals.reading, overloads.reading,
            storeWrites.reading, storeFailures.reading,
        ]
    }
}
