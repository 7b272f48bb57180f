internal import MigrationCore

/// A request that was understood as far as its endpoint can tell: routed, decoded, its parameters
/// known, its body of an accepted type.
struct Call: Sendable {
    let caller: Caller
    private let target: RoutedTarget
    let body: [UInt8]
    private let headers: [(name: String, value: String)]
    /// The states that a change may be of.
    let ifMatch: EntityTagList?
    /// The states of what is read that the client has already.
    let ifNoneMatch: EntityTagList?
    /// Where a request that may change something stands in its client's trace.
    let trace: TraceParent?
    /// What the request is called; nil of a GET that its client did not name.
    let requestID: String?

    init(_ request: APIRequest, _ target: RoutedTarget, requestID: String?) throws(Problem) {
        self.target = target
        self.requestID = requestID
        self.trace = request.method == "GET" ? nil : TraceParent(of: request)
        self.caller = request.caller
        self.headers = request.headers
        self.ifMatch = try request.tags(in: "if-match")
        self.ifNoneMatch =
            target.isConditional ? try request.tags(in: "if-none-match") : nil
        self.body = try Self.acceptedBody(of: request, target.body)
    }

    var endpoint: Endpoint { target.endpoint }
    var query: QueryParameters { target.query }

    /// The value of a header, by its name in lower case.
    func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// The name in the path; `not-found` when nothing could ever have it.
    func id<Kind>(of noun: String) throws(Problem) -> Identifier<Kind> {
        guard let id = Identifier<Kind>(target.pathVariable) else {
            throw Problem(.notFound, "There is no \(noun) of this name.")
        }
        return id
    }

    func decodedBody<Document: Decodable>(_ type: Document.Type) throws(Problem) -> Document {
        try RequestBody.decode(type, from: body)
    }

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
        case .archive: return []
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
