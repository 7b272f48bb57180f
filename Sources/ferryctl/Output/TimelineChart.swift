/// Rows of bars over one axis of time, as lines of text.
struct TimelineChart {
    /// A stretch of time in a row; times in microseconds.
    struct Span: Hashable {
        let start: Int64
        let end: Int64
        let ink: Ink

        /// Whether any of it lies between two times; touching one is not enough.
        func isWithin(_ from: Int64, _ to: Int64) -> Bool {
            start == end ? from <= start && start <= to : start < to && end > from
        }
    }

    struct Row: Hashable {
        let label: String
        var spans: [Span] = []
        /// What stands behind the bar.
        var note = ""
    }

    /// What a bar is drawn with.
    enum Ink: Hashable, CaseIterable {
        case phase
        case downtime
        case arc
        case failedArc
        // What a device is in.
        case runs
        case copies
        case stands
        case failed

        var block: Character {
            switch self {
            case .phase: "█"
            case .downtime: "▼"
            case .arc: "━"
            case .failedArc: "✗"
            case .runs: "█"
            case .copies: "▓"
            case .stands: "░"
            case .failed: "✗"
            }
        }

        var letter: Character {
            switch self {
            case .phase: "#"
            case .downtime: "v"
            case .arc: "="
            case .failedArc: "x"
            case .runs: "#"
            case .copies: "+"
            case .stands: "."
            case .failed: "x"
            }
        }

        var style: Terminal.Style? {
            switch self {
            case .phase, .arc, .stands: nil
            case .downtime, .failedArc, .failed: .red
            case .runs: .green
            case .copies: .yellow
            }
        }
    }

    /// The least room for bars, however narrow the terminal is.
    private static let leastBarWidth = 20
    private static let labelWidthLimit = 34

    let start: Int64
    let end: Int64
    var rows: [Row]

    /// The lines, at most as wide as given.
    func text(width: Int, _ terminal: Terminal) -> String {
        let label = min(Self.labelWidthLimit, rows.map(\.label.count).max() ?? 0)
        let note = rows.map(\.note.count).max() ?? 0
        let bar = max(Self.leastBarWidth, width - label - note - 4)
        let last = duration(microseconds: end - start)
        let gap = String(repeating: " ", count: max(1, bar - 1 - last.count))
        let axis = pad("", label) + "  0" + gap + last + "\n"
        return axis
            + rows.map { row in
                let line =
                    pad(String(row.label.prefix(label)), label) + " |" + cells(row, bar, terminal)
                    + "|" + (row.note.isEmpty ? "" : " \(row.note)")
                return line + "\n"
            }.joined()
    }

    private func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    /// The bar of a row: every span has a column at least, and what comes later is drawn over.
    private func cells(_ row: Row, _ width: Int, _ terminal: Terminal) -> String {
        var inks: [Ink?] = Array(repeating: nil, count: width)
        for span in row.spans where span.isWithin(start, end) {
            let first = min(width - 1, edge(of: span.start, width))
            let past = max(first + 1, edge(of: span.end, width))
            for index in first..<past { inks[index] = span.ink }
        }
        var text = ""
        var rest = inks[...]
        while let ink = rest.first {
            let run = rest.prefix { $0 == ink }
            let glyph = ink.map { terminal.speaksUTF8 ? $0.block : $0.letter } ?? " "
            let bar = String(repeating: glyph, count: run.count)
            text += ink?.style.map { terminal.styled(bar, $0) } ?? bar
            rest = rest.dropFirst(run.count)
        }
        return text
    }

    /// How many columns lie before a time.
    private func edge(of time: Int64, _ width: Int) -> Int {
        let length = max(1, end - start)
        let passed = min(max(start, time), start + length) - start
        // In floating point: a product of numbers that a server chose could overflow.
        return min(width, Int(Double(passed) / Double(length) * Double(width)))
    }
}
