internal import APISchema

/// A job's journal for a person.
enum JournalReport {
    static func table(_ lines: [JournalLineDTO]) -> String {
        var table = Table("LINE", "AT", "PHASE", "WHAT", "ACTION", "DEVICE", "TOOK", "OUTCOME")
        for line in lines {
            table.add(
                "\(line.sequence)",
                line.at,
                line.phase,
                line.line,
                line.arc.map(arrow) ?? line.action,
                line.device,
                line.durationUs.map(duration),
                outcome(line)
            )
        }
        return table.text
    }

    private static func outcome(_ line: JournalLineDTO) -> String? {
        if let problem = line.problem {
            return [problem.errno, problem.detail].compactMap { $0 }.joined(separator: ": ")
        }
        return line.state ?? line.note
    }
}
