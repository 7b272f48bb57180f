/// One line of a job's journal: the intent before an effect, its outcome, or a decision.
package struct JournalLineDTO: Hashable, Sendable, Codable {
    /// From 1, without gaps in one job.
    package let sequence: Int64
    package let at: String
    package let phase: String?
    /// `accepted`, `intent`, `done`, `failed`, `cancel_requested`, `switchover_requested`,
    /// `switchover_forced`, `limits_changed`, `abort`, `commit`, `finished`, `recovered`, `resolved`.
    package let line: String
    package var action: String?
    package var device: String?
    /// The ends of the arc when the action is a SET.
    package var arc: ArcDTO?
    package var durationUs: Int64?
    package var problem: ProblemDTO?
    /// With `finished`: the state the job ended in.
    package var state: String?
    package var note: String?
    /// With `limits_changed`: the limits from then on.
    package var limits: JobLimitsDTO?
    /// With `resolved`: who may run.
    package var mayRun: String?

    package init(sequence: Int64, at: String, phase: String?, line: String) {
        self.sequence = sequence
        self.at = at
        self.phase = phase
        self.line = line
    }
}
