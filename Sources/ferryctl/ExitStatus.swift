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
    case outputFailed = 8

    /// Ends the program.
    func end() -> Never { exit(rawValue) }

    init(_ problem: ClientProblem) {
        self =
            switch problem {
            case .unreachable: .unreachable
            case .refused(let problem): problem.status < 500 ? .refused : .serverFailed
            case .notUnderstood: .serverFailed
            }
    }

    /// How a job ended.
    init(endOf job: JobDTO) {
        self =
            switch job.state {
            case "succeeded": .success
            case "cancelled": .jobCancelled
            case "indeterminate": .jobIndeterminate
            default: .jobFailed
            }
    }
}
