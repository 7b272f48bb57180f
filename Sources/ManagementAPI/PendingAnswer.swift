internal import JobEngine
internal import MigrationCore

/// The one answer a request waits for; counted, named and logged as it is given.
struct PendingAnswer: Sendable {
    private let api: ManagementAPI
    private let request: APIRequest
    /// What the request is called; nil of a GET that its client did not name.
    let requestID: String?
    /// What the client has already.
    var known: EntityTagList?
    private var startedAt: UInt64
    private var endpoint: Endpoint?
    private var place = Endpoint.allCases.count
    private let reply: @Sendable (APIResponse) -> Void

    init(
        to request: APIRequest,
        of api: ManagementAPI,
        reply: @escaping @Sendable (APIResponse) -> Void = { _ in }
    ) {
        self.api = api
        self.request = request
        let isRead = request.method == Route.Method.get.rawValue
        self.requestID =
            RequestID.said(request.header(RequestID.header)) ?? (isRead ? nil : RequestID.next())
        self.startedAt = api.engine.monotonicNanoseconds()
        self.reply = reply
    }

    mutating func didRoute(_ target: RoutedTarget) {
        endpoint = target.endpoint
        place = target.place
    }

    /// Counts from now on: what came before was a wait the client asked for.
    mutating func didWait() { startedAt = api.engine.monotonicNanoseconds() }

    func complete(_ work: () throws(Problem) -> APIResponse) { reply(settled(work)) }

    func fail(_ problem: Problem) {
        complete { () throws(Problem) in throw problem }
    }

    /// What comes of the work as it is to be sent; from here on it counts as given.
    func settled(_ work: () throws(Problem) -> APIResponse) -> APIResponse {
        do throws(Problem) {
            return settled(try work())
        } catch {
            let id = requestID ?? RequestID.next()
            let instance = ManagementAPI.instance(request.rawPath)
            return settled(
                .problem(error, instance: instance, requestID: id),
                named: id,
                problem: error.code
            )
        }
    }

    /// Gives the answer.
    func finish(_ response: APIResponse) { reply(settled(response)) }

    /// The answer as it is to be sent; from here on it counts as given.
    ///
    /// One that many requests share stays as it is, without a name, when its client gave none.
    private func settled(
        _ response: APIResponse,
        named name: String? = nil,
        problem: Problem.Code? = nil
    ) -> APIResponse {
        let response = known.map(response.unlessKnown) ?? response
        let nanoseconds = api.engine.monotonicNanoseconds() - startedAt
        api.requests.count(place, status: response.status, nanoseconds: nanoseconds)
        let isTold = response.status >= 500 || request.method != Route.Method.get.rawValue
        var id = name ?? requestID
        if id == nil, response.status >= 500 || response.form == nil { id = RequestID.next() }
        guard let id else { return response }
        if isTold { tell(id, response.status, problem, nanoseconds) }
        return response.named(id)
    }

    private func tell(_ id: String, _ status: Int, _ problem: Problem.Code?, _ nanoseconds: UInt64)
    {
        api.accessLog?(
            AccessRecord(
                requestID: id,
                caller: request.caller.name,
                endpoint: endpoint?.rawValue,
                method: String(request.method.prefix(32)),
                path: String(request.rawPath.prefix(256)),
                status: status,
                problem: problem?.rawValue,
                nanoseconds: nanoseconds,
                traceID: TraceParent(of: request)?.traceID
            )
        )
    }
}

extension APIResponse {
    /// The answer of one request alone, with its name.
    func named(_ id: String) -> Self {
        let headers = headers + [("X-Request-Id", id)]
        switch content {
        case .whole(let body): return Self(status: status, headers: headers, body: body)
        case .streamed(let body): return Self(status: status, headers: headers, streaming: body)
        }
    }
}

extension TraceParent {
    /// What a request says of its trace; nil when it says it twice, or wrongly.
    init?(of request: APIRequest) {
        let said = request.headers.filter { $0.name == "traceparent" }
        guard said.count == 1, let value = said.first?.value else { return nil }
        self.init(value)
    }
}
