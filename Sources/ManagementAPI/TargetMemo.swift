internal import MigrationCore
internal import Synchronization

/// What a method, a path and a query ask for.
///
/// Depends on nothing else, so the same text always asks for the same.
struct RoutedTarget: Sendable {
    let endpoint: Endpoint
    /// The decoded text that stands for `{id}`.
    let pathVariable: String
    let query: QueryParameters
    /// What the request has to bring.
    let body: Route.Body
    /// Whether a reader may say which state it has.
    let isConditional: Bool

    init(_ method: String, _ rawPath: String, _ rawQuery: String?) throws(Problem) {
        let segments = try PercentDecoding.segments(of: rawPath)
        let (endpoint, pathVariable) = try Self.endpoint(for: method, segments)
        self.endpoint = endpoint
        self.pathVariable = pathVariable
        let route = endpoint.route
        self.query = try QueryParameters(rawQuery: rawQuery, allowed: route.query)
        self.body = route.body
        self.isConditional = route.isConditional
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
}

/// The targets that were asked for last, routed: dashboards and scripts ask for the same ones over
/// and over, and routing costs more than answering from memory.
final class TargetMemo: Sendable {
    private struct Key: Hashable {
        let path: String
        let query: String?
    }

    private let countLimit: Int
    /// A longer target is routed each time.
    private static let byteLimit = 256
    /// Guards the targets of GET.
    ///
    /// A leaf.
    private let targets = Mutex<[Key: RoutedTarget]>([:])

    /// A memo that is emptied when it is full, so that strangers cannot make it grow.
    init(countLimit: Int = 1024) { self.countLimit = countLimit }

    func target(of request: APIRequest) throws(Problem) -> RoutedTarget {
        let (method, path, query) = (request.method, request.rawPath, request.rawQuery)
        guard method == Route.Method.get.rawValue,
            path.utf8.count + (query?.utf8.count ?? 0) <= Self.byteLimit
        else { return try RoutedTarget(method, path, query) }
        let key = Key(path: path, query: query)
        if let known = targets.withLock({ $0[key] }) { return known }
        let target = try RoutedTarget(method, path, query)
        targets.withLock { targets in
            if targets.count >= countLimit { targets = [:] }
            targets[key] = target
        }
        return target
    }
}
