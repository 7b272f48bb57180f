internal import MigrationCore

/// Everything that is found against a job, in the order of the rules.
struct Findings {
    private(set) var problems: [Problem] = []

    /// Notes a problem, once: two rules may meet the same.
    mutating func note(_ problem: Problem?) {
        if let problem, !problems.contains(problem) { problems.append(problem) }
    }

    /// Keeps to a rule that throws; nil when it did.
    mutating func hold<Result>(_ rule: () throws(Problem) -> Result) -> Result? {
        do throws(Problem) {
            return try rule()
        } catch {
            note(error)
            return nil
        }
    }

    /// Throws what was found first.
    func check() throws(Problem) {
        if let first = problems.first { throw first }
    }
}
