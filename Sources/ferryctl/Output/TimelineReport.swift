internal import APISchema

/// A job over its time, for a person: all of it, and the downtime once more from near.
enum TimelineReport {
    static func text(
        _ job: JobDTO,
        _ journal: [JournalLineDTO],
        on terminal: Terminal,
        width: Int? = nil
    ) -> String {
        let end = JobReport.end(of: job)
        guard let timeline = JobTimeline(job, journal) else {
            return end + "\nIt has not begun.\n"
        }
        let width = width ?? terminal.width
        var charts = [
            chart(timeline, timeline.start, timeline.end, isNear: timeline.downtime == nil)
        ]
        if let downtime = timeline.downtime {
            charts.append(chart(timeline, downtime.start, downtime.end, isNear: true))
        }
        let texts = charts.map { $0.text(width: width, terminal) }
        return end + "\n" + texts.joined(separator: "\nThe downtime:\n\n") + "\n" + legend(terminal)
    }

    /// The rows that have something to show between two times; each SET only from near.
    private static func chart(
        _ timeline: JobTimeline,
        _ start: Int64,
        _ end: Int64,
        isNear: Bool
    ) -> TimelineChart {
        var rows = timeline.phases
        if let downtime = timeline.downtime, !isNear {
            rows.append(
                TimelineChart.Row(
                    label: "downtime",
                    spans: [downtime],
                    note: duration(microseconds: downtime.end - downtime.start)
                )
            )
        }
        for device in timeline.devices {
            rows.append(device.lane)
            if isNear { rows += device.arcs }
        }
        return TimelineChart(
            start: start,
            end: end,
            rows: rows.filter { row in
                row.spans.contains { $0.isWithin(start, end) }
            }
        )
    }

    private static func legend(_ terminal: Terminal) -> String {
        let words: [(TimelineChart.Ink, String)] = [
            (.runs, "runs"), (.copies, "runs and is copied"), (.stands, "stands"),
            (.failed, "failed"), (.downtime, "neither side runs"),
        ]
        let glyph = { (ink: TimelineChart.Ink) in terminal.speaksUTF8 ? ink.block : ink.letter }
        return words.map { "\(glyph($0.0)) \($0.1)" }.joined(separator: "   ") + "\n"
    }
}
