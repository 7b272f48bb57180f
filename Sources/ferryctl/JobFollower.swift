internal import APIClient
internal import APISchema

/// Stays with a job until it has ended, by long polls, and shows how far it is to whoever watches.
struct JobFollower {
    /// How often a server that is gone is asked again, a second apart: it may be started anew, and
    /// jobs outlive it.
    private static let retryLimit = 30

    let client: APIClient
    let printer: Printer
    /// Waits so many milliseconds before the server is asked again.
    var pause: (Int) -> Void = APIClient.pauseThread

    /// A long poll answers when the job changes; progress alone does not wake it, so a person who
    /// watches gets an answer each second.
    private var waitSeconds: Int64 { Terminal.standardError.isInteractive ? 1 : 30 }

    /// Shows the job as it was accepted, or its end when it is to be waited for.
    ///
    /// `judge` says what its end means to the command.
    func finish(
        _ job: JobDTO,
        wait: Bool,
        judge: (JobDTO) -> ExitStatus = { ExitStatus(endOf: $0) }
    ) throws(ClientProblem) -> ExitStatus {
        guard wait else {
            printer.show(job, JobReport.end(of: job))
            return .success
        }
        let ended = try follow(job)
        let status = judge(ended)
        printer.show(ended, JobReport.end(of: ended))
        for warning in ended.warnings { printer.note("warning: \(warning)") }
        if let error = ended.error, status != .success { printer.report(error) }
        return status
    }

    /// The job when nothing more happens to it, or as it is when the time is over.
    func follow(
        _ job: JobDTO,
        until deadline: ContinuousClock.Instant? = nil
    ) throws(ClientProblem) -> JobDTO {
        let line = ProgressLine()
        defer { line.clear() }
        var job = job
        var retries = 0
        while !job.isFinished {
            line.show(JobReport.now(job))
            let left = deadline.map { seconds(until: $0) }
            do throws(ClientProblem) {
                job = try client.job(
                    job.id,
                    afterGeneration: job.generation,
                    waitSeconds: Int(min(waitSeconds, left ?? .max))
                )
                retries = 0
            } catch {
                retries += 1
                guard error.isBreak, retries <= Self.retryLimit, left != 0 else {
                    throw error.whileFollowing(job.id)
                }
                line.show("\(job.id)  asking again: \(error.words)")
                pause(1000)
            }
            if let deadline, ContinuousClock.now >= deadline { break }
        }
        return job
    }

    /// Rounded up: a wait of none would be answered at once, and asked for again.
    private func seconds(until deadline: ContinuousClock.Instant) -> Int64 {
        let rest = ContinuousClock.now.duration(to: deadline).components
        return max(0, rest.seconds + (rest.attoseconds > 0 ? 1 : 0))
    }
}

extension ClientProblem {
    /// Whether the server may be there again a moment later.
    var isBreak: Bool {
        switch self {
        case .unreachable, .interrupted: true
        case .refused(let problem): problem.code == "shutting-down"
        case .notUnderstood, .file: false
        }
    }

    /// What happened, in one sentence.
    var words: String {
        switch self {
        case .unreachable(_, let detail), .interrupted(_, let detail),
            .notUnderstood(_, let detail):
            detail
        case .refused(let problem): problem.detail
        case .file(let path, let detail): "\(path): \(detail)"
        }
    }

    /// The same, with how to find a job again that may go on without its watcher.
    func whileFollowing(_ job: String) -> Self {
        let hint = "What became of the job tells: ferryctl job \(job) --wait"
        return switch self {
        case .unreachable(let server, let detail):
            .unreachable(server: server, detail: "\(detail) \(hint)")
        case .interrupted(let server, let detail):
            .interrupted(server: server, detail: "\(detail) \(hint)")
        default: self
        }
    }
}
