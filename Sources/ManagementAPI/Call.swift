internal import MigrationCore

/// A request that was understood as far as its endpoint can tell: routed, decoded, its parameters
/// known, its body of an accepted type.
struct Call: Sendable {
    let endpoint: Endpoint
    let query: QueryParameters
    let caller: Caller
    private let pathVariable: String
    private let body: [UInt8]
    /// The entity tag of `If-Match`, as it came.
    let ifMatch: String?

    init(_ request: APIRequest) throws(Problem) {
        let segments = try PercentDecoding.segments(of: request.rawPath)
        let (endpoint, pathVariable) = try Self.endpoint(for: request.method, segments)
        self.endpoint = endpoint
        self.pathVariable = pathVariable
        self.query = try QueryParameters(
            rawQuery: request.rawQuery,
            allowed: endpoint.route.query
        )
        self.caller = request.caller
        self.ifMatch = request.header("if-match")
        self.body = try Self.acceptedBody(of: request, endpoint.route.body)
    }

    /// The name in the path; `not-found` when nothing could ever have it.
    func id<Kind>(of noun: String) throws(Problem) -> Identifier<Kind> {
        guard let id = Identifier<Kind>(pathVariable) else {
            throw Problem(.notFound, "There is no \(noun) of this name.")
        }
        return id
    }

    func decodedBody<Document: Decodable>(_ type: Document.Type) throws(Problem) -> Document {
        try RequestBody.decode(type, from: body)
    }

    private static func endpoint(
        for method: String,
        _ segments: [String]
    ) throws(Problem) -> (Endpoint, String) {
        // HEAD is GET whose body the transport keeps back.
        let wanted = method == "HEAD" ? Route.Method.get.rawValue : method
        var allowed: [String] = []
        for (endpoint, route) in table {
            guard let pathVariable = route.template.match(segments) else { continue }
            if route.method.rawValue == wanted { return (endpoint, pathVariable) }
            allowed.append(route.method.rawValue)
        }
        guard !allowed.isEmpty else {
            throw Problem(.notFound, "There is no resource at this path.")
        }
        if allowed.contains(Route.Method.get.rawValue) { allowed.append("HEAD") }
        var problem = Problem(
            .methodNotAllowed,
            "This resource does not take \(method.prefix(32))."
        )
        problem.facts.allow = allowed.sorted()
        throw problem
    }

    private static let table = Endpoint.allCases.map { ($0, $0.route) }

    private static func acceptedBody(
        of request: APIRequest,
        _ expected: Route.Body
    ) throws(Problem) -> [UInt8] {
        switch expected {
        case .none:
            guard request.body.isEmpty else {
                throw Problem(.badRequest, "This request takes no body.")
            }
        case .empty:
            guard !request.body.isEmpty else { return [] }
            try RequestBody.requireJSON(request.header("content-type"))
            _ = try RequestBody.decode(NoFields.self, from: request.body)
        case .required:
            try RequestBody.requireJSON(request.header("content-type"))
        }
        return request.body
    }
}

/// The empty object.
private struct NoFields: Decodable {
    private enum CodingKeys: CodingKey {}

    init(from decoder: any Decoder) throws {
        _ = try decoder.container(keyedBy: CodingKeys.self)
    }
}
