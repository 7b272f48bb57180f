internal import APISchema
internal import MigrationCore

/// When things happened in a job, as far as its phases and its journal tell.
///
/// Times are microseconds since 1970. Phases are known to the microsecond, one after the other;
/// lines of the journal to the millisecond.
struct JobTimeline {
    typealias Row = TimelineChart.Row
    typealias Span = TimelineChart.Span

    /// No longer than this can a duration be, so that no sum overflows: ten years.
    private static let durationLimit: Int64 = 10 * 365 * 86_400_000_000
    /// How far the time a phase is said to start at may be from where the one before it ended.
    private static let clockGrain: Int64 = 2000

    let start: Int64
    let end: Int64
    private(set) var phases: [Row] = []
    /// From entering the first phase that quiesces to leaving the one that starts.
    private(set) var downtime: Span?
    private(set) var devices: [Device] = []

    /// What one device did.
    struct Device {
        /// The states it was in.
        var lane: Row
        /// Its SETs, each in a row of its own.
        var arcs: [Row]
    }

    /// Nil when the job has not begun.
    init?(_ job: JobDTO, _ journal: [JournalLineDTO]) {
        let times = Self.phaseSpans(job.phaseTimes)
        let lines = journal.compactMap { line in Self.microseconds(line.at).map { ($0, line) } }
        guard let first = times.first?.span.start else { return nil }
        let last = max(first + 1, times.last?.span.end ?? first, lines.last?.0 ?? first)
        start = first
        end = last
        phases = zip(times, job.phaseTimes).map { time, phase in
            let isOpen = phase.durationUs == nil
            let span = isOpen ? Span(start: time.span.start, end: last, ink: .phase) : time.span
            let note = phase.durationUs.map(duration) ?? "goes on"
            return Row(label: printable(time.name), spans: [span], note: note)
        }
        downtime = Self.downtime(times)
        devices = job.devices.map { device in
            let own = lines.filter { $0.1.device == device.device }
            return Device(
                lane: lane(of: device, own),
                arcs: own.compactMap { at, line in arcRow(at, line) }
            )
        }
    }

    /// A time of the API, which tells milliseconds; nil when it is none.
    private static func microseconds(_ text: String) -> Int64? {
        Timestamp(rfc3339: text).map { $0.millisecondsSinceEpoch * 1000 }
    }

    /// Each phase from its start to its end; one that goes on ends where it starts.
    private static func phaseSpans(_ times: [PhaseTimeDTO]) -> [(name: String, span: Span)] {
        var spans: [(name: String, span: Span)] = []
        for time in times {
            guard var start = microseconds(time.startedAt) else { continue }
            if let before = spans.last?.span.end, abs(before - start) <= clockGrain {
                start = before
            }
            let length = min(max(0, time.durationUs ?? 0), durationLimit)
            spans.append((time.phase, Span(start: start, end: start + length, ink: .phase)))
        }
        return spans
    }

    private static func downtime(_ times: [(name: String, span: Span)]) -> Span? {
        guard let first = times.first(where: { ["quiesce", "stop_copy"].contains($0.name) }),
            let last = times.last(where: { $0.name == "start" }),
            last.span.end > first.span.start
        else { return nil }
        return Span(start: first.span.start, end: last.span.end, ink: .downtime)
    }

    /// The states a device was in, by the arcs that were made and what else ends one.
    private func lane(of device: JobDeviceDTO, _ lines: [(Int64, JournalLineDTO)]) -> Row {
        var row = Row(label: "\(printable(device.device)) (\(printable(device.side)))")
        var since = start
        var ink = lines.lazy.compactMap { $0.1.arc?.from }.first.flatMap(Self.ink)
        for (at, line) in lines {
            let next: TimelineChart.Ink?
            switch (line.line, line.arc, line.action) {
            case ("done", let arc?, _): next = Self.ink(ofState: arc.to)
            case ("failed", .some, _): next = .failed
            // A reset leaves it running, with nothing in it; a closed device is nobody's to tell of.
            case ("done", nil, "reset"): next = .runs
            case ("done", nil, "close"): next = nil
            default: continue
            }
            if let ink { row.spans.append(Span(start: since, end: max(since, at), ink: ink)) }
            since = max(since, at)
            ink = next
        }
        if let ink { row.spans.append(Span(start: since, end: max(since, end), ink: ink)) }
        row.note = device.vfioState.map(printable) ?? ""
        return row
    }

    private func arcRow(_ at: Int64, _ line: JournalLineDTO) -> Row? {
        guard let arc = line.arc, line.line == "done" || line.line == "failed" else { return nil }
        let hasFailed = line.line == "failed"
        let length = min(max(0, line.durationUs ?? 0), Self.durationLimit)
        let words = [
            line.durationUs.map(duration), hasFailed ? line.problem?.errno ?? "failed" : nil,
        ]
        return Row(
            label: "  " + printable(arrow(arc)),
            spans: [Span(start: at - length, end: at, ink: hasFailed ? .failedArc : .arc)],
            note: printable(words.compactMap { $0 }.joined(separator: " "))
        )
    }

    private static func ink(ofState state: String) -> TimelineChart.Ink {
        switch state {
        case "running", "running_p2p": .runs
        case "pre_copy", "pre_copy_p2p": .copies
        case "error": .failed
        default: .stands
        }
    }
}
