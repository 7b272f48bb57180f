internal import MigrationCore

/// How an endpoint gets to its answer.
enum Outcome: Sendable {
    /// From memory, at once.
    case ready(APIResponse)
    /// By work that may block, off the HTTP thread.
    case blocking(@Sendable () throws(Problem) -> APIResponse)
    /// What is measured, from the queue that reads it.
    case scrape
    /// By work that takes its time on a thread of its own, and hands on what makes the answer, once.
    case elsewhere(@Sendable (@escaping Answer) throws(Problem) -> Void)
    /// When a job advances past a generation, or after some seconds as it is then.
    case whenChanged(JobID, after: UInt64, seconds: Int, FieldSelection?)

    typealias Answer = @Sendable (() throws(Problem) -> APIResponse) -> Void
}
