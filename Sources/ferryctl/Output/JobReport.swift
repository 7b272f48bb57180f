internal import APISchema

/// Jobs for a person.
enum JobReport {
    static func table(_ jobs: [JobDTO]) -> String {
        var table = Table("JOB", "KIND", "STATE", "PHASE", "DEVICES", "SENT", "DOWNTIME", "CREATED")
        for job in jobs {
            table.add(
                job.id,
                job.kind,
                job.state,
                job.phase,
                route(job),
                job.progress.map { bytes($0.sentBytes) },
                job.progress?.actualDowntimeMs.map { "\($0) ms" },
                job.createdAt
            )
        }
        return table.text
    }

    static func text(_ job: JobDTO) -> String {
        var facts = FactList()
        facts.add("job", job.id)
        facts.add("kind", job.kind)
        facts.add("state", job.state)
        facts.add("phase", job.phase)
        facts.add("devices", route(job))
        facts.add("image", job.image)
        facts.add("may run", job.mayRun)
        facts.add("progress", job.progress.map(progress))
        facts.add("downtime", job.progress?.actualDowntimeMs.map { "\($0) ms" })
        facts.add("limits", limits(job.limits))
        facts.add("switchover", job.switchover.mode)
        facts.add("blocked by", job.switchover.blockedBy)
        facts.add(
            "stuck in",
            job.stuckIn.map { "\(arrow($0.arc)) of \($0.device), \($0.elapsedS) s" }
        )
        for warning in job.warnings { facts.add("warning", warning) }
        facts.add("labels", job.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
        facts.add("requested by", job.requestedBy)
        facts.add("created", job.createdAt)
        facts.add("started", job.startedAt)
        facts.add("finished", job.finishedAt)
        return facts.text() + phases(job) + devices(job) + error(job)
    }

    /// How far a job is, in one line.
    static func now(_ job: JobDTO) -> String {
        var words = ["\(job.kind) \(job.id)", job.phase ?? job.state]
        if let progress = job.progress { words.append(self.progress(progress)) }
        if !job.switchover.blockedBy.isEmpty {
            words.append("waits for \(job.switchover.blockedBy.joined(separator: ", "))")
        }
        return words.joined(separator: "  ")
    }

    /// What became of a job, in one line.
    static func end(of job: JobDTO) -> String {
        var words = ["\(job.kind) \(job.id) \(job.state)", route(job)]
        if job.isFinished, let sent = job.progress?.sentBytes {
            words.append("\(bytes(sent)) moved")
        }
        if let downtime = job.progress?.actualDowntimeMs { words.append("downtime \(downtime) ms") }
        if let image = job.image { words.append("image \(image)") }
        return printable(words.filter { !$0.isEmpty }.joined(separator: ", ")) + "\n"
    }

    /// `sim-0 -> sim-1`.
    static func route(_ job: JobDTO) -> String {
        let ends = ["source", "target"].map { side in
            job.devices.filter { $0.side == side }.map(\.device).joined(separator: ",")
        }
        return ends.filter { !$0.isEmpty }.joined(separator: " -> ")
    }

    static func progress(_ progress: JobProgressDTO) -> String {
        var words = ["\(bytes(progress.sentBytes)) sent", "\(bytes(progress.remainingBytes)) left"]
        if progress.rateBytesPerSecond > 0 {
            words.append("\(bytes(progress.rateBytesPerSecond))/s")
        }
        if progress.iterations > 0 { words.append("round \(progress.iterations)") }
        if let expected = progress.expectedDowntimeMs, progress.actualDowntimeMs == nil {
            words.append("expected downtime \(expected) ms")
        }
        return words.joined(separator: ", ")
    }

    static func limits(_ limits: JobLimitsDTO) -> String {
        var words = limits.bandwidthBytesPerSecond.map { ["\(bytes($0))/s"] } ?? []
        words.append("downtime \(limits.downtimeMs) ms")
        words.append("completion \(limits.completionTimeoutS) s")
        if let seconds = limits.progressTimeoutS { words.append("progress \(seconds) s") }
        words.append("then \(limits.onTimeout)")
        return words.joined(separator: ", ")
    }

    private static func phases(_ job: JobDTO) -> String {
        guard !job.phaseTimes.isEmpty else { return "" }
        var table = Table("PHASE", "STARTED", "TOOK")
        for time in job.phaseTimes {
            table.add(time.phase, time.startedAt, time.durationUs.map(duration))
        }
        return "\n" + table.text
    }

    private static func devices(_ job: JobDTO) -> String {
        guard !job.devices.isEmpty else { return "" }
        var table = Table("SIDE", "DEVICE", "STATE", "CONTENT", "MOVED", "ARC", "TOOK", "ERRNO")
        for device in job.devices {
            let first = device.arcs.first
            table.add(
                device.side,
                device.device,
                device.vfioState,
                device.content,
                bytes(device.transferredBytes),
                first.map { "\($0.from) -> \($0.to)" },
                first.map { duration(microseconds: $0.durationUs) },
                first.map { $0.errno ?? "" }
            )
            for arc in device.arcs.dropFirst() {
                table.addContinuation(
                    "\(arc.from) -> \(arc.to)",
                    duration(microseconds: arc.durationUs),
                    arc.errno ?? "-"
                )
            }
        }
        return "\n" + table.text
    }

    private static func error(_ job: JobDTO) -> String {
        guard let error = job.error else { return "" }
        return "\n\(printable(error.title)): \(printable(error.detail))\n"
            + Printer.facts(of: error).text(indent: "  ")
    }
}
