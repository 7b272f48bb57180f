internal import APISchema
internal import JobEngine
internal import MigrationCore

/// The limits of a job, which may be changed until its commit.
extension ManagementAPI {
    func getJobLimits(_ call: Call) throws(Problem) -> Outcome {
        let id: JobID = try call.id(of: "job")
        return .blocking { [engine] () throws(Problem) in try Self.limits(of: engine.job(id)) }
    }

    func changeJobLimits(_ call: Call) throws(Problem) -> Outcome {
        let id: JobID = try call.id(of: "job")
        let request = try call.decodedBody(JobRequestLimitsDTO.self)
        let limits = try JobSpec.Limits(request, at: "")
        guard let tag = call.ifMatch else {
            throw Problem(
                .preconditionRequired,
                "Say by If-Match which limits are to be changed: the ETag of GET, or *."
            )
        }
        return .blocking { [engine] () throws(Problem) in
            let kind = try engine.job(id).job.spec.work.kind
            try JobSpec.refuseForeignFields(of: request, for: kind, at: "")
            let revision = try LimitsTag.revision(tag, of: id)
            return try Self.limits(
                of: engine.changeLimits(of: id, to: limits, ifRevision: revision)
            )
        }
    }

    func resolveJob(_ call: Call) throws(Problem) -> Outcome {
        let id: JobID = try call.id(of: "job")
        let request = try call.decodedBody(ResolveRequestDTO.self)
        guard let side = MayRun(rawValue: request.mayRun), side != .unknown else {
            throw RequestField.problem(
                at: "/may_run",
                "The field must be one of source, target, nobody."
            )
        }
        return .blocking { [self] () throws(Problem) in
            let view = try engine.resolve(
                id,
                mayRun: side,
                isTargetFenced: request.targetFenced ?? false
            )
            return try acceptedJob(view)
        }
    }

    private static func limits(of view: JobView) throws(Problem) -> APIResponse {
        try .document(
            JobLimitsDTO(view.job.limits),
            headers: [("ETag", LimitsTag.text(view.job.limitsRevision))]
        )
    }
}

/// The entity tag of a job's limits.
private enum LimitsTag {
    static func text(_ revision: UInt64) -> String { "\"limits-\(revision)\"" }

    /// The revision a tag stands for; nil for any.
    ///
    /// One that was never given out matches nothing.
    static func revision(_ tag: String, of job: JobID) throws(Problem) -> UInt64? {
        if tag == "*" { return nil }
        let prefix = "\"limits-"
        guard tag.hasPrefix(prefix), tag.hasSuffix("\""),
            let revision = UInt64(tag.dropFirst(prefix.count).dropLast())
        else {
            throw Problem(
                .preconditionFailed,
                "The If-Match is no ETag of the limits of job \(job): read them again."
            )
        }
        return revision
    }
}
