/// What a job would meet if it were asked for now.
package struct JobCheckDTO: Hashable, Sendable, Codable {
    /// Whether it would be accepted.
    package let ok: Bool
    /// Every reason for which it would be refused.
    package let problems: [ProblemDTO]
    package let warnings: [String]
    /// What the SETs of the downtime took in earlier jobs with these drivers: the downtime will not
    /// be shorter.
    package var expectedSetMs: Int64?
    /// How much state it would move, as the image or the devices say.
    package var stateBytes: Int64?

    package init(problems: [ProblemDTO], warnings: [String]) {
        self.ok = problems.isEmpty
        self.problems = problems
        self.warnings = warnings
    }
}
