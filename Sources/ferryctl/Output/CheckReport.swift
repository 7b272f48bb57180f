internal import APISchema

/// What would become of a job, for a person.
enum CheckReport {
    static func text(_ report: JobCheckDTO) -> String {
        var text = report.ok ? "The job would be accepted.\n" : "The job would be refused.\n"
        var costs = FactList()
        costs.add("state", report.stateBytes.map(bytes))
        costs.add("SETs of the downtime", report.expectedSetMs.map { "at least \($0) ms" })
        text += costs.text(indent: "  ")
        for problem in report.problems {
            text +=
                "\n\(printable(problem.title)): \(printable(FlagNames.spoken(problem.detail)))\n"
                + Printer.facts(of: problem).text(indent: "  ")
        }
        for warning in report.warnings {
            text += "\nwarning: \(printable(FlagNames.spoken(warning)))\n"
        }
        return text
    }
}
