internal import APISchema
internal import JobEngine
internal import MigrationCore

extension ManagementAPI {
    /// The bounds of a long poll, in seconds.
    static let waits = 0...60

    func listJobs(_ call: Call) throws(Problem) -> Outcome {
        let page = try Page(of: "jobs", call.query)
        let last: JobID? = try page.lastID()
        return .blocking { [self] () throws(Problem) in
            let shown: [JobView]
            do throws(Problem) {
                shown = try engine.jobs(before: last, limit: page.limit + 1)
            } catch {
                // A list is always there: what is missing is the job the cursor goes on from.
                throw error.code == .notFound ? Page.staleCursor : error
            }
            return try page.response(shown, jobs)
        }
    }

    func createJob(_ call: Call) throws(Problem) -> Outcome {
        let spec = try JobSpec(call.decodedBody(JobRequestDTO.self))
        let requestedBy = call.caller.name
        let keyed = try call.keyedRequest
        return .blocking { [self] () throws(Problem) in
            let given = try engine.submit(spec, requestedBy: requestedBy, once: keyed) {
                view throws(Problem) in
                RequestAnswer(
                    status: 202,
                    location: "/v1/jobs/\(view.job.id.text)",
                    body: try jobs.response(for: view).body
                )
            }
            return APIResponse(given)
        }
    }

    func getJob(_ call: Call) throws(Problem) -> Outcome {
        let id: JobID = try call.id(of: "job")
        let generation = try call.query.number("after_generation", in: 0...UInt64(Int64.max))
        let seconds = try call.query.number("wait", in: Self.waits) ?? 0
        if generation == nil, seconds > 0 {
            throw Problem(.badRequest, "The parameter wait needs after_generation.")
        }
        guard let view = engine.recentJob(id) else {
            // Only the store may know it, so nothing changes it any more.
            return .blocking { [self] () throws(Problem) in try jobs.response(for: engine.job(id)) }
        }
        if let generation, seconds > 0, view.job.generation <= generation {
            return .whenChanged(id, after: generation, seconds: seconds)
        }
        return .ready(try jobs.response(for: view))
    }

    func cancelJob(_ call: Call) throws(Problem) -> Outcome {
        let id: JobID = try call.id(of: "job")
        return .blocking { [self] () throws(Problem) in
            try acceptedJob(engine.cancel(id))
        }
    }

    func switchOverJob(_ call: Call) throws(Problem) -> Outcome {
        let id: JobID = try call.id(of: "job")
        return .blocking { [self] () throws(Problem) in
            try acceptedJob(engine.switchOver(id))
        }
    }

    func deleteJob(_ call: Call) throws(Problem) -> Outcome {
        let id: JobID = try call.id(of: "job")
        return .blocking { [engine] () throws(Problem) in
            try engine.deleteJob(id)
            return .noContent
        }
    }

    func listJournal(_ call: Call) throws(Problem) -> Outcome {
        let id: JobID = try call.id(of: "job")
        let after = try call.query.number("after", in: 0...Int64.max) ?? 0
        let limit = try call.query.number("limit", in: Page.limits) ?? Page.defaultLimit
        return .blocking { [engine] () throws(Problem) in
            let lines = try engine.journal(of: id, after: after, limit: limit + 1)
            let shown = lines.prefix(limit)
            let next = lines.count > limit ? shown.last.map { String($0.sequence) } : nil
            return try .page(of: shown.map { JournalLineDTO($0, of: id) }, nextCursor: next)
        }
    }

    /// What an action on a job is answered with.
    func acceptedJob(_ view: JobView) throws(Problem) -> APIResponse {
        .document(text: try jobs.response(for: view).body, status: 202)
    }
}

extension Caller {
    /// Who asked, as the job records it.
    var name: String {
        switch self {
        case .local(let uid, _): "uid:\(uid)"
        case .anonymousLoopback: "anonymous"
        }
    }
}
