internal import MigrationCore

extension [JournalEntry.Line] {
    /// Whether they tell of steps alone.
    ///
    /// The journal is the durable truth of those: the job's own row, which is much longer, is written
    /// with what is decided and at the end, and not in the downtime.
    var areSteps: Bool {
        !isEmpty
            && allSatisfy { line in
                switch line {
                case .intent, .done, .failed: true
                default: false
                }
            }
    }
}
