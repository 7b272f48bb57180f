/// What the API can be asked: the operations of openapi/ferry.yaml by their `operationId`.
package enum Endpoint: String, CaseIterable, Sendable {
    case getHost
    case getContract
    case listDevices
    case getDevice
    case probeDevice
    case bindDevice
    case unbindDevice
    case setVirtualFunctions
    case listMediatedTypes
    case createMediatedDevice
    case removeMediatedDevice
    case listSessions
    case openSession
    case getSession
    case closeSession
    case listJobs
    case createJob
    case getJob
    case deleteJob
    case cancelJob
    case switchOverJob
    case resolveJob
    case getJobLimits
    case changeJobLimits
    case listJournal
    case listImages
    case getImage
    case deleteImage
    case getImageContent
    case uploadImageContent
    case verifyImage
    case followEvents
    case createCheck
    case listAudit
    case getAuditRecord
    case getHealth
    case getReadiness
    case getMetrics
}

/// Where an endpoint is and what it takes and answers: the one table that routing, `Allow` and the
/// test of agreement with openapi/ferry.yaml use.
package struct Route: Sendable {
    package let method: Method
    package let template: PathTemplate
    /// The names of query parameters; any other is refused.
    package let query: [String]
    package let body: Body
    /// The status of success.
    package let success: Int
    /// The status of success for a part of the body; nil when only the whole is given.
    package let partialSuccess: Int?
    /// Statuses of refusals that are the endpoint's own, beside those of every request.
    package let refusals: [Int]
    /// The media type of success; nil for JSON.
    package let mediaType: String?
    /// Whether success has an `ETag`, and 304 is the answer to a reader who has that state.
    package let isConditional: Bool
    /// Whether it takes an `Idempotency-Key`; others do nothing twice, or refuse to.
    package let isKeyed: Bool

    /// A method we serve; HEAD is GET for a transport that keeps the body back.
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"
    }

    /// What a request brings.
    package enum Body: Sendable {
        case none
        /// Nothing, or the empty object.
        case empty
        case required
        /// An image as an archive, taken as it comes.
        case archive
    }

    fileprivate init(
        _ method: Method,
        _ template: String,
        query: [String] = [],
        body: Body = .none,
        success: Int = 200,
        partialSuccess: Int? = nil,
        refusals: [Int] = [],
        mediaType: String? = nil,
        isConditional: Bool = false,
        isKeyed: Bool = false
    ) {
        self.method = method
        self.template = PathTemplate(template)
        self.query = query
        self.body = body
        self.success = success
        self.partialSuccess = partialSuccess
        self.refusals = refusals
        self.mediaType = mediaType
        self.isConditional = isConditional
        self.isKeyed = isKeyed
    }

    /// A GET of something that has a state.
    fileprivate static func reading(
        _ template: String,
        query: [String] = [],
        refusals: [Int] = []
    ) -> Self {
        Self(.get, template, query: query, refusals: refusals, isConditional: true)
    }
}

extension Endpoint {
    package var route: Route {
        switch self {
        case .getHost: .reading("/v1/host")
        case .getContract: .reading("/openapi.json")
        case .followEvents:
            Route(
                .get,
                "/v1/events",
                query: ["after", "filter"],
                refusals: [503],
                mediaType: "text/event-stream"
            )
        case .getHealth: Route(.get, "/healthz")
        case .getReadiness: Route(.get, "/readyz", refusals: [503])
        case .getMetrics: Route(.get, "/metrics", mediaType: "text/plain")
        case .listAudit: .reading("/v1/audit", query: ListParameters.names)
        case .getAuditRecord:
            .reading("/v1/audit/{id}", query: ["fields"], refusals: [404])
        case .listDevices, .getDevice, .probeDevice: deviceRoute
        case .bindDevice, .unbindDevice, .setVirtualFunctions, .listMediatedTypes,
            .createMediatedDevice, .removeMediatedDevice:
            changeRoute
        case .listSessions, .openSession, .getSession, .closeSession: sessionRoute
        case .createCheck:
            Route(.post, "/v1/checks", body: .required, refusals: [415, 422])
        case .listJobs, .createJob, .getJob, .deleteJob, .cancelJob, .switchOverJob, .resolveJob,
            .getJobLimits, .changeJobLimits, .listJournal:
            jobRoute
        case .listImages, .getImage, .deleteImage, .getImageContent, .uploadImageContent,
            .verifyImage:
            imageRoute
        }
    }

    private var deviceRoute: Route {
        switch self {
        case .getDevice: .reading("/v1/devices/{id}", query: ["fields"], refusals: [404])
        case .probeDevice:
            Route(
                .post,
                "/v1/devices/{id}/probe",
                body: .empty,
                refusals: [404, 409, 415, 422]
            )
        default: .reading("/v1/devices", query: ListParameters.names)
        }
    }

    private var changeRoute: Route {
        switch self {
        case .bindDevice: deviceChange(.post, "bind")
        case .unbindDevice: deviceChange(.post, "unbind")
        case .setVirtualFunctions: deviceChange(.put, "virtual-functions")
        case .createMediatedDevice:
            Route(
                .post,
                "/v1/mdevs",
                body: .required,
                success: 201,
                refusals: [409, 415, 422, 504]
            )
        case .removeMediatedDevice:
            Route(.delete, "/v1/mdevs/{id}", success: 204, refusals: [404, 409, 504])
        default: .reading("/v1/mdev-types")
        }
    }

    private func deviceChange(_ method: Route.Method, _ name: String) -> Route {
        Route(
            method,
            "/v1/devices/{id}/\(name)",
            body: .required,
            refusals: [404, 409, 415, 422, 504]
        )
    }

    private var sessionRoute: Route {
        switch self {
        case .openSession:
            Route(
                .post,
                "/v1/sessions",
                body: .required,
                success: 201,
                refusals: [409, 415, 422],
                isKeyed: true
            )
        case .getSession: .reading("/v1/sessions/{id}", query: ["fields"], refusals: [404])
        case .closeSession:
            Route(
                .delete,
                "/v1/sessions/{id}",
                query: ["discard_content"],
                refusals: [404, 409]
            )
        default: .reading("/v1/sessions", query: ListParameters.names)
        }
    }

    private var jobRoute: Route {
        switch self {
        case .createJob:
            Route(
                .post,
                "/v1/jobs",
                body: .required,
                success: 202,
                refusals: [409, 415, 422],
                isKeyed: true
            )
        case .getJob:
            .reading(
                "/v1/jobs/{id}",
                query: ["after_generation", "wait", "fields"],
                refusals: [404]
            )
        case .deleteJob:
            Route(.delete, "/v1/jobs/{id}", success: 204, refusals: [404, 409])
        case .cancelJob: jobAction("cancel")
        case .switchOverJob: jobAction("switchover")
        case .resolveJob:
            Route(
                .post,
                "/v1/jobs/{id}/resolve",
                body: .required,
                success: 202,
                refusals: [404, 409, 415, 422]
            )
        case .getJobLimits: .reading("/v1/jobs/{id}/limits", refusals: [404])
        case .changeJobLimits:
            Route(
                .put,
                "/v1/jobs/{id}/limits",
                body: .required,
                refusals: [404, 409, 412, 415, 422, 428]
            )
        case .listJournal:
            .reading("/v1/jobs/{id}/journal", query: ["after", "limit"], refusals: [404])
        default: .reading("/v1/jobs", query: ListParameters.names)
        }
    }

    private func jobAction(_ name: String) -> Route {
        Route(
            .post,
            "/v1/jobs/{id}/\(name)",
            body: .empty,
            success: 202,
            refusals: [404, 409, 415, 422]
        )
    }

    private var imageRoute: Route {
        switch self {
        case .getImage: .reading("/v1/images/{id}", query: ["fields"], refusals: [404, 409])
        case .getImageContent:
            Route(
                .get,
                "/v1/images/{id}/content",
                partialSuccess: 206,
                refusals: [404, 409, 416, 422],
                mediaType: "application/x-tar"
            )
        case .uploadImageContent:
            Route(
                .put,
                "/v1/images/{id}/content",
                body: .archive,
                success: 201,
                refusals: [404, 409, 413, 415, 422]
            )
        case .verifyImage:
            Route(
                .post,
                "/v1/images/{id}/verify",
                body: .empty,
                refusals: [404, 409, 415, 422]
            )
        case .deleteImage:
            Route(.delete, "/v1/images/{id}", success: 204, refusals: [404, 409])
        default: .reading("/v1/images", query: ListParameters.names)
        }
    }
}
