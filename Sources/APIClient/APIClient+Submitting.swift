package import APISchema
internal import Glibc

/// Starting jobs so that a lost answer starts none twice.
extension APIClient {
    /// How often a job is asked for again when its answer was lost.
    private static let retryLimit = 3

    /// Asks for a job, under a key by which the server knows the same request again.
    ///
    /// When the answer is lost it asks again with that key, and the server gives its first answer.
    /// `pause` waits so many milliseconds before that.
    package func createJob(
        _ request: JobRequestDTO,
        idempotencyKey: String = randomKey(),
        pause: (Int) -> Void = pauseThread
    ) throws(ClientProblem) -> JobDTO {
        var lost: ClientProblem?
        for attempt in 0...Self.retryLimit {
            if attempt > 0 { pause(500 << (attempt - 1)) }
            do throws(ClientProblem) {
                return try post(
                    "/v1/jobs",
                    request,
                    headers: [("Idempotency-Key", "\"\(idempotencyKey)\"")]
                )
            } catch {
                switch error {
                case .interrupted: lost = error
                // The server may be on its way back. Before anything was asked there is no point
                // in asking again.
                case .unreachable where lost != nil: break
                case .refused(let problem) where problem.code == "idempotency-in-flight":
                    lost = error
                default: throw error
                }
            }
        }
        throw lost ?? .notUnderstood(status: 0, detail: "The job was not asked for.")
    }

    /// What would become of a job that is asked for now; nothing is started.
    package func checkJob(_ request: JobRequestDTO) throws(ClientProblem) -> JobCheckDTO {
        try post("/v1/checks", request)
    }

    /// 128 random bits in hexadecimal.
    package static func randomKey() -> String {
        (0..<2).map { _ in
            let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// Blocks the thread for so many milliseconds.
    package static func pauseThread(milliseconds: Int) {
        _ = poll(nil, 0, Int32(clamping: milliseconds))
    }
}
