internal import APISchema
internal import JobEngine
internal import MigrationCore

extension JobDTO {
    init(_ view: JobView) {
        let job = view.job
        self.init(
            id: job.id.text,
            kind: job.spec.work.kind.rawValue,
            state: job.state.name,
            generation: Int64(bytes: job.generation),
            limits: JobLimitsDTO(job.limits),
            switchover: SwitchoverDTO(view),
            mayRun: job.mayRun.rawValue,
            cancellable: view.isCancellable,
            requestedBy: job.requestedBy,
            createdAt: job.createdAt.rfc3339
        )
        phase = job.phase?.rawValue
        devices = job.devices.map(JobDeviceDTO.init)
        image = job.image?.text
        after = job.after?.rawValue
        progress = JobProgressDTO(view)
        phaseTimes = job.phaseTimes.map(PhaseTimeDTO.init)
        stuckIn = view.stuckIn.map(StuckArcDTO.init)
        warnings = job.warnings
        if case .indeterminate = job.state { warnings.append(Self.wayOut(of: job.id)) }
        error = job.state.problem.map { ProblemDTO($0, instance: "/v1/jobs/\(job.id.text)") }
        labels = job.spec.labels
        startedAt = job.startedAt?.rfc3339
        finishedAt = job.finishedAt?.rfc3339
    }

    /// An indeterminate job keeps its devices until a person says what is to become of them.
    private static func wayOut(of id: JobID) -> String {
        "Resolve the job (POST /v1/jobs/\(id)/resolve) to say who may run: until then it keeps those of "
            + "its devices that are still open."
    }
}

extension JobLimitsDTO {
    init(_ limits: JobSpec.Limits) {
        self.init(
            bandwidthBytesPerSecond: limits.bandwidthBytesPerSecond.map(Int64.init(bytes:)),
            downtimeMs: Int64(clamping: limits.downtimeMilliseconds),
            completionTimeoutS: Int64(clamping: limits.completionTimeoutSeconds),
            progressTimeoutS: limits.progressTimeoutSeconds.map(Int64.init(clamping:)),
            onTimeout: limits.onTimeout.rawValue
        )
    }
}

extension SwitchoverDTO {
    init(_ view: JobView) {
        let isInPreCopy = [.preCopy, .awaitingSwitchover].contains(view.job.phase)
        self.init(
            mode: view.job.spec.switchoverMode.rawValue,
            ready: isInPreCopy && !view.job.state.isTerminal
                && view.switchoverBlockedBy.allSatisfy { $0 == "gate" },
            blockedBy: view.switchoverBlockedBy
        )
    }
}

extension JobProgressDTO {
    /// Nil before anything was transferred.
    ///
    /// What is not sampled any more comes from the durable record.
    init?(_ view: JobView) {
        let actual = view.job.actualDowntimeNanoseconds
        let transferred = view.job.devices.filter { $0.side == view.job.countedSide }
            .reduce(Int64(0)) { sum, device in
                let (total, isOver) = sum.addingReportingOverflow(
                    Int64(bytes: device.transferredBytes)
                )
                return isOver ? Int64.max : total
            }
        if let sampled = view.progress {
            self.init(
                sentBytes: Int64(bytes: sampled.sentByteCount),
                remainingBytes: Int64(bytes: sampled.remainingByteCount),
                rateBytesPerSecond: Int64(bytes: sampled.bytesPerSecond),
                iterations: Int64(bytes: sampled.iterations)
            )
            expectedDowntimeMs = sampled.expectedDowntimeNanoseconds
                .map(Int64.init(millisecondsOf:))
            expectedSetMs = sampled.setNanoseconds.map(Int64.init(millisecondsOf:))
        } else if transferred > 0 || actual != nil {
            self.init(
                sentBytes: transferred,
                remainingBytes: 0,
                rateBytesPerSecond: 0,
                iterations: Int64(bytes: view.job.roundCount ?? 0)
            )
        } else {
            return nil
        }
        actualDowntimeMs = actual.map(Int64.init(millisecondsOf:))
    }
}

extension Job {
    /// What the source of a save does when the image is sealed.
    var after: JobSpec.AfterSave? {
        guard case .save(_, let after) = spec.work else { return nil }
        return after
    }

    /// The side whose bytes are the transfer's: both sides of a migrate see the same ones.
    fileprivate var countedSide: Side { spec.work.hasSource ? .source : .target }
}

extension PhaseTimeDTO {
    init(_ time: PhaseTime) {
        self.init(
            phase: time.phase.rawValue,
            startedAt: time.startedAt.rfc3339,
            durationUs: time.nanoseconds.map(Int64.init(microsecondsOf:))
        )
    }
}

extension StuckArcDTO {
    init(_ stuck: StuckArc) {
        self.init(
            device: stuck.device.text,
            arc: ArcDTO(from: stuck.from?.name, to: stuck.to.name),
            elapsedS: Int64(clamping: stuck.nanoseconds / 1_000_000_000)
        )
    }
}

extension JobDeviceDTO {
    init(_ device: JobDevice) {
        self.init(
            device: device.device.text,
            side: device.side.rawValue,
            transferredBytes: Int64(bytes: device.transferredBytes),
            arcs: device.arcs.map(ArcTimeDTO.init)
        )
        vfioState = device.vfioState?.name
        content = device.content?.rawValue
        initialBytes = device.initialBytes.map(Int64.init(bytes:))
        dirtyBytes = device.dirtyBytes.map(Int64.init(bytes:))
        stopCopyBytes = device.stopCopyBytes.map(Int64.init(bytes:))
    }
}

extension ArcTimeDTO {
    init(_ arc: ArcTime) {
        self.init(
            from: arc.from.name,
            to: arc.to.name,
            durationUs: Int64(microsecondsOf: arc.nanoseconds),
            errno: arc.errno?.name
        )
    }
}
