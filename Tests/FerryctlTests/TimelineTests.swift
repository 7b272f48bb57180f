import APISchema
import Testing

@testable import ferryctl

@Suite("A timeline is drawn from what a job and its journal say, and from nothing else")
struct TimelineTests {
    private func terminal(utf8: Bool) -> Terminal {
        Terminal(descriptor: -1, isInteractive: false) { name in
            name == "LANG" ? utf8 ? "en_US.UTF-8" : "C" : nil
        }
    }

    private var job: JobDTO {
        var job = JobDTO(
            id: "move",
            kind: "migrate",
            state: "succeeded",
            generation: 9,
            limits: JobLimitsDTO(
                bandwidthBytesPerSecond: nil,
                downtimeMs: 300,
                completionTimeoutS: 3600,
                progressTimeoutS: nil,
                onTimeout: "cancel"
            ),
            switchover: SwitchoverDTO(mode: "auto", ready: true, blockedBy: []),
            mayRun: "target",
            cancellable: false,
            requestedBy: "uid:0",
            createdAt: at(0)
        )
        job.devices = [
            JobDeviceDTO(device: "a", side: "source", transferredBytes: 0, arcs: []),
            JobDeviceDTO(device: "b", side: "target", transferredBytes: 0, arcs: []),
        ]
        job.phaseTimes = [
            PhaseTimeDTO(phase: "pre_copy", startedAt: at(0), durationUs: 800_000),
            // A millisecond off, as clocks are: it begins where the one before ended.
            PhaseTimeDTO(phase: "stop_copy", startedAt: at(799), durationUs: 100_000),
            PhaseTimeDTO(phase: "start", startedAt: at(900), durationUs: 100_000),
        ]
        return job
    }

    private var journal: [JournalLineDTO] {
        [
            line(0, "a", "running", "pre_copy", tookUs: 1000),
            line(0, "b", "running", "resuming", tookUs: 1000),
            line(850, "a", "pre_copy", "stop_copy", tookUs: 50_000),
            line(900, "b", "resuming", "stop", tookUs: 10_000),
            line(1000, "b", "stop", "running", tookUs: nil),
        ]
    }

    private func at(_ milliseconds: Int) -> String {
        let digits = String(milliseconds % 1000)
        return "2026-12-01T03:17:0\(milliseconds / 1000)."
            + String(repeating: "0", count: 3 - digits.count) + digits + "Z"
    }

    /// A SET that was made; without a time, one that failed.
    private func line(
        _ milliseconds: Int,
        _ device: String,
        _ from: String,
        _ to: String,
        tookUs: Int64?
    ) -> JournalLineDTO {
        var line = JournalLineDTO(
            sequence: 1,
            at: at(milliseconds),
            phase: "start",
            line: tookUs == nil ? "failed" : "done"
        )
        line.device = device
        line.action = "set"
        line.arc = ArcDTO(from: from, to: to)
        line.durationUs = tookUs
        if tookUs == nil {
            line.problem = ProblemDTO(code: "device-failed", title: "t", status: 500, detail: "d")
            line.problem?.errno = "EIO"
        }
        return line
    }

    @Test("every row is where it was, to the column, in ASCII")
    func ascii() {
        let text = TimelineReport.text(job, journal, on: terminal(utf8: false), width: 60)
        #expect(
            text == """
                migrate move succeeded, a -> b

                            0                            1.000 s
                pre_copy   |############################        | 800.000 ms
                stop_copy  |                            ####    | 100.000 ms
                start      |                                ####| 100.000 ms
                downtime   |                            vvvvvvvv| 200.000 ms
                a (source) |++++++++++++++++++++++++++++++......|
                b (target) |...................................x|

                The downtime:

                                         0            200.000 ms
                stop_copy               |###########            | 100.000 ms
                start                   |           ############| 100.000 ms
                a (source)              |+++++..................|
                  pre_copy -> stop_copy |=====                  | 50.000 ms
                b (target)              |......................x|
                  resuming -> stop      |          =            | 10.000 ms
                  stop -> running       |                      x| EIO

                # runs   + runs and is copied   . stands   x failed   v neither side runs

                """
        )
    }

    @Test("a UTF-8 terminal gets blocks in the same columns")
    func blocks() {
        let ascii = TimelineReport.text(job, journal, on: terminal(utf8: false), width: 60)
        let blocks = TimelineReport.text(job, journal, on: terminal(utf8: true), width: 60)
        #expect(blocks.contains("a (source) |▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░░░░░░|"))
        #expect(
            ascii.split(separator: "\n").map(\.count) == blocks.split(separator: "\n").map(\.count)
        )
        #expect(ascii.utf8.allSatisfy { $0 < 0x80 })
    }

    @Test("no line is longer than the terminal is wide", arguments: [60, 80, 200])
    func widths(_ width: Int) {
        let text = TimelineReport.text(job, journal, on: terminal(utf8: true), width: width)
        let lines = text.split(separator: "\n").filter { $0.contains("|") }
        #expect(lines.map(\.count).max() ?? 0 <= width)
        #expect(lines.contains { $0.count == width })
    }

    @Test("a save without a downtime is drawn once, with its SETs")
    func withoutDowntime() {
        var job = job
        job.phaseTimes = [PhaseTimeDTO(phase: "prepare", startedAt: at(0), durationUs: nil)]
        let text = TimelineReport.text(job, journal, on: terminal(utf8: false), width: 60)
        #expect(!text.contains("The downtime"))
        #expect(text.contains("pre_copy -> stop_copy |"))
        #expect(text.contains("| goes on\n"))
    }

    @Test("a job that has not begun has nothing to draw")
    func notBegun() {
        var job = job
        job.phaseTimes = []
        let text = TimelineReport.text(job, [], on: terminal(utf8: true), width: 60)
        #expect(text.hasSuffix("It has not begun.\n"))
    }

    @Test("times and lengths that a stranger made up are drawn somewhere, and stop nothing")
    func hostileTimes() {
        let lengths: [Int64?] = [.max, .min, -1, 0, nil]
        let times = ["", "9999-12-31T23:59:59.999Z", "0000-01-01T00:00:00Z", "x", at(5)]
        for length in lengths {
            for time in times {
                var job = job
                job.phaseTimes = ["quiesce", "\u{1b}[2J", "start"].map {
                    PhaseTimeDTO(phase: $0, startedAt: time, durationUs: length)
                }
                var journal = journal
                var line = JournalLineDTO(sequence: .max, at: time, phase: nil, line: "done")
                line.device = "a"
                line.arc = ArcDTO(from: nil, to: "\u{7}")
                line.durationUs = length
                journal.append(line)
                for width in [0, 60] {
                    let text = TimelineReport.text(
                        job,
                        journal,
                        on: terminal(utf8: false),
                        width: width
                    )
                    #expect(!text.contains("\u{1b}") && !text.contains("\u{7}"))
                }
            }
        }
    }
}
