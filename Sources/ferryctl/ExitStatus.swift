internal import APIClient
internal import APISchema
internal import Glibc

/// What ferryctl tells the shell; `--help` documents every one.
enum ExitStatus: Int32, Error, CaseIterable {
    case success = 0
    case jobFailed = 1
    case usage = 2
    case refused = 3
    case unreachable = 4
    case serverFailed = 5
    case jobCancelled = 6
    case jobIndeterminate = 7
    case fileFailed = 8
    case timeIsOver = 9

    /// Ends the program.
    func end() -> Never { exit(rawValue) }

    init(_ problem: ClientProblem) {
        self =
            switch problem {
            case .unreachable, .interrupted: .unreachable
            case .refused(let problem): problem.status < 500 ? .refused : .serverFailed
            case .notUnderstood: .serverFailed
            case .file: .fileFailed
            }
    }

    /// How a job ended, or that it has not.
    init(endOf job: JobDTO) {
        self =
            switch job.state {
            case "succeeded": .success
            case "cancelled": .jobCancelled
            case "indeterminate": .jobIndeterminate
            default: job.isFinished ? .jobFailed : .timeIsOver
            }
    }

    /// How the worst of several jobs ended; one that has not ended is worse than any.
    init(endsOf jobs: [JobDTO]) {
        let fromWorst: [Self] = [.timeIsOver, .jobIndeterminate, .jobFailed, .jobCancelled]
        let ends = Set(jobs.map { Self(endOf: $0) })
        self = fromWorst.first(where: ends.contains) ?? .success
    }

    /// What became of a job that was resolved so that this side may run.
    ///
    /// Taking it back is what was asked for, although the job has failed then.
    init(endOf job: JobDTO, resolvedTo side: String) {
        let end = Self(endOf: job)
        let isSettled = job.isFinished && end != .jobIndeterminate
        self = isSettled && job.mayRun == side ? .success : end == .success ? .jobFailed : end
    }
}
