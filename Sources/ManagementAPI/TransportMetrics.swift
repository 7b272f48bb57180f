internal import JobEngine

/// What is measured of connections, by whoever has them.
package final class TransportMetrics: Sendable {
    private let open = Gauge()
    private let accepted = Counter()
    private let refusals = InstrumentFamily<Counter>(
        "ferry_http_refusals_total",
        "Requests refused before the API saw them.",
        by: ["reason"]
    )

    package init() {}

    package func didConnect() {
        open.add(1)
        accepted.add()
    }

    package func didDisconnect() { open.add(-1) }

    package var openConnectionCount: Int { open.value }

    func didRefuse(_ refusal: TransportRefusal) { refusals.of(refusal.reason).add() }

    var families: [MetricFamily] {
        [
            .gauge(
                "ferry_http_connections",
                "Open connections of clients.",
                Double(openConnectionCount)
            ),
            .counter(
                "ferry_http_connections_total",
                "Connections that clients made.",
                Double(accepted.value)
            ),
            refusals.reading,
        ]
    }
}

extension TransportRefusal {
    /// Its name in a metric.
    fileprivate var reason: String {
        switch self {
        case .bodyTooLarge: "body_too_large"
        case .headersTooLarge: "headers_too_large"
        case .badRequest: "bad_request"
        case .unknownExpectation: "unknown_expectation"
        case .foreignHost: "foreign_host"
        case .foreignOrigin: "foreign_origin"
        case .overloaded: "overloaded"
        case .shuttingDown: "shutting_down"
        }
    }
}
