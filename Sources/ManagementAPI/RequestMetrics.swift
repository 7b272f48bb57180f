internal import JobEngine

/// What is measured of the requests the API answers.
///
/// A count is an addition or two without a lock: answers from memory are fast, and are all counted.
final class RequestMetrics: Sendable {
    /// A row for each endpoint and one for what came to none, with a count for each status.
    private let counts: AtomicCounts
    private let durations: [Histogram]

    /// The statuses that are told apart; the last column has all others.
    private static let statuses = [
        200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 406, 409, 410, 412, 413, 415, 416,
        417, 422, 428, 429, 431, 500, 501, 503, 504, 507,
    ]
    private static let columnCount = statuses.count + 1

    init() {
        let rowCount = Endpoint.allCases.count + 1
        counts = AtomicCounts(rowCount * Self.columnCount)
        durations = (0..<rowCount).map { _ in Histogram(.requests) }
    }

    /// Counts an answer, by the place of its endpoint.
    func count(_ place: Int, status: Int, nanoseconds: UInt64) {
        let column = Self.statuses.firstIndex(of: status) ?? Self.statuses.count
        counts.add(at: place * Self.columnCount + column)
        durations[place].observe(nanoseconds: nanoseconds)
    }

    var families: [MetricFamily] {
        let names = Endpoint.allCases.map(\.rawValue) + ["none"]
        let statuses = Self.statuses.map { "\($0)" } + ["other"]
        var requests: [MetricFamily.Series] = []
        var times: [MetricFamily.Series] = []
        for (row, name) in names.enumerated() {
            for (column, status) in statuses.enumerated() {
                let count = counts[row * Self.columnCount + column]
                guard count > 0 else { continue }
                let labels = [("endpoint", name), ("status", status)]
                requests.append(.init(.number(Double(count)), labels))
            }
            let reading = durations[row].reading
            guard case .histogram(let histogram) = reading, histogram.count > 0 else { continue }
            times.append(.init(reading, [("endpoint", name)]))
        }
        return [
            MetricFamily(
                "ferry_http_requests_total",
                .counter,
                "Requests the API answered, by operationId and status.",
                requests
            ),
            MetricFamily(
                "ferry_http_request_duration_seconds",
                .histogram,
                "Time from a whole request to its answer; an upload's from its head, a long poll's from its wait.",
                times
            ),
        ]
    }
}

extension Endpoint {
    /// Where the endpoint stands among all of them.
    var place: Int { Self.places[self] ?? Self.allCases.count }

    private static let places = Dictionary(
        uniqueKeysWithValues: allCases.enumerated().map { ($1, $0) }
    )
}
