internal import MigrationCore

/// How an endpoint gets to its answer.
enum Outcome: Sendable {
    /// From memory, at once.
    case ready(APIResponse)
    /// By work that may block, off the HTTP thread.
    case blocking(@Sendable () throws(Problem) -> APIResponse)
    /// When a job advances past a generation, or after some seconds as it is then.
    case whenChanged(JobID, after: UInt64, seconds: Int, FieldSelection?)
}
