internal import APIClient
internal import APISchema

/// Stays with a job until it has ended, by long polls, and shows how far it is to whoever watches.
struct JobFollower {
    let client: APIClient
    let printer: Printer

    /// A long poll answers when the job changes; progress alone does not wake it, so a person who
    /// watches gets an answer each second.
    private var waitSeconds: Int { Terminal.standardError.isInteractive ? 1 : 30 }

    /// Shows the job as it was accepted, or its end when it is to be waited for.
    func finish(_ job: JobDTO, wait: Bool) throws(ClientProblem) -> ExitStatus {
        guard wait else {
            printer.show(job, JobReport.end(of: job))
            return .success
        }
        let ended = try follow(job)
        printer.show(ended, JobReport.end(of: ended))
        if let error = ended.error { printer.report(error) }
        return ExitStatus(endOf: ended)
    }

    /// The job when nothing more happens to it.
    func follow(_ job: JobDTO) throws(ClientProblem) -> JobDTO {
        let line = ProgressLine()
        defer { line.clear() }
        var job = job
        while !job.isFinished {
            line.show(job)
            do throws(ClientProblem) {
                job = try client.job(
                    job.id,
                    afterGeneration: job.generation,
                    waitSeconds: waitSeconds
                )
            } catch {
                throw error.whileFollowing(job.id)
            }
        }
        return job
    }
}

extension ClientProblem {
    /// The same, with how to find a job again that may go on without its watcher.
    func whileFollowing(_ job: String) -> Self {
        guard case .unreachable(let server, let detail) = self else { return self }
        return .unreachable(
            server: server,
            detail: "\(detail) What became of the job tells: ferryctl job \(job) --wait"
        )
    }
}

/// The line on stderr that tells how far a job is, when a terminal shows it.
private struct ProgressLine {
    private let stream = Terminal.standardError

    func show(_ job: JobDTO) {
        guard stream.isInteractive else { return }
        var words = ["\(job.kind) \(job.id)", job.phase ?? job.state]
        if let progress = job.progress { words.append(JobReport.progress(progress)) }
        if !job.switchover.blockedBy.isEmpty {
            words.append("waits for \(job.switchover.blockedBy.joined(separator: ", "))")
        }
        let line = printable(words.joined(separator: "  "))
        // A line that wraps could not be taken back.
        stream.write("\r\u{1b}[K" + line.prefix(stream.width - 1))
    }

    func clear() {
        if stream.isInteractive { stream.write("\r\u{1b}[K") }
    }
}
