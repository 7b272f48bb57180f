internal import APISchema
internal import JobEngine
internal import MigrationCore

extension ManagementAPI {
    /// The bounds of a long poll, in seconds.
    static let waits = 0...60

    func listJobs(_ call: Call) throws(Problem) -> Outcome {
        let query = try ListQuery(JobFields.table, call.query)
        // One more than the page has, to tell whether there is another.
        var walk = JobWalk(limit: query.limit + 1)
        walk.order = query.order.isDescending ? .newestFirst : .oldestFirst
        walk.kind = query.filter?.expression.required("kind")
        walk.state = query.filter?.expression.required("state")
        walk.from = try query.place
        return .blocking { [self, walk] () throws(Problem) in
            let stretch = try engine.jobs(walk) { query.filter?.matches($0) ?? true }
            let shown = stretch.jobs.prefix(query.limit)
            let end = stretch.jobs.count > query.limit ? shown.last?.place : stretch.end
            let page = ListPage(
                items: shown.map(\.view)[...],
                nextCursor: end.map { query.cursor(behind: [.number($0)]) }
            )
            return try query.response(page, jobs)
        }
    }

    func createJob(_ call: Call) throws(Problem) -> Outcome {
        let spec = try JobSpec(call.decodedBody(JobRequestDTO.self))
        let (requestedBy, trace) = (call.caller.name, call.trace)
        let keyed = try call.keyedRequest
        return .blocking { [self] () throws(Problem) in
            let given = try engine.submit(
                spec,
                requestedBy: requestedBy,
                trace: trace,
                once: keyed
            ) { view throws(Problem) in
                RequestAnswer(
                    status: 202,
                    location: "/v1/jobs/\(view.job.id.text)",
                    body: try jobs.document(for: view).text
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
        let selection = try FieldSelection(call.query, JobFields.table)
        guard let view = engine.recentJob(id) else {
            // Only the store may know it, so nothing changes it any more.
            return .blocking { [self] () throws(Problem) in
                try jobs.response(for: engine.job(id), selection)
            }
        }
        if let generation, seconds > 0, view.job.generation <= generation {
            return .whenChanged(id, after: generation, seconds: seconds, selection)
        }
        return .ready(try jobs.response(for: view, selection))
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
        let limit = try ListParameters.limit(call.query)
        return .blocking { [engine] () throws(Problem) in
            let lines = try engine.journal(of: id, after: after, limit: limit + 1)
            let shown = lines.prefix(limit)
            let next = lines.count > limit ? shown.last.map { String($0.sequence) } : nil
            return try .page(of: shown.map { JournalLineDTO($0, of: id) }, nextCursor: next)
        }
    }

    /// What an action on a job is answered with.
    func acceptedJob(_ view: JobView) throws(Problem) -> APIResponse {
        .document(text: try jobs.document(for: view).text, status: 202)
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
