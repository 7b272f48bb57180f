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
        guard let tags = call.ifMatch else {
            throw Problem(
                .preconditionRequired,
                "Say by If-Match which limits are to be changed: the ETag of GET, or *."
            )
        }
        return .blocking { [engine] () throws(Problem) in
            let kind = try engine.job(id).job.spec.work.kind
            try JobSpec.refuseForeignFields(of: request, for: kind, at: "")
            return try Self.limits(
                of: engine.changeLimits(of: id, to: limits, ifRevision: tags.revisions)
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
        .tagged(
            try APIResponse.text(of: JobLimitsDTO(view.job.limits)),
            EntityTag(limitsRevision: view.job.limitsRevision)
        )
    }
}

/// The entity tag of a job's limits is their revision.
extension EntityTag {
    fileprivate init(limitsRevision revision: UInt64) {
        self.init(opaque: "\(Self.limitsPrefix)\(revision)")
    }

    private static let limitsPrefix = "limits-"

    /// Nil for a tag that limits never had, and for a weak one: `If-Match` compares strongly.
    fileprivate var limitsRevision: UInt64? {
        guard !isWeak, opaque.hasPrefix(Self.limitsPrefix) else { return nil }
        return UInt64(opaque.dropFirst(Self.limitsPrefix.count))
    }
}

extension EntityTagList {
    /// The revisions of limits that may be changed; nil for any.
    fileprivate var revisions: [UInt64]? {
        switch self {
        case .any: nil
        case .tags(let tags): tags.compactMap(\.limitsRevision)
        }
    }
}
