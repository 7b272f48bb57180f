internal import JobEngine

extension ManagementAPI {
    /// Everything that is measured, in Prometheus' text format.
    static func metrics(
        of engine: Engine,
        _ requests: RequestMetrics,
        _ transport: TransportMetrics
    ) -> APIResponse {
        let subscribers = MetricFamily.gauge(
            "ferry_event_subscribers",
            "Clients that follow the events.",
            Double(engine.events.subscriberCount)
        )
        let families =
            engine.metricFamilies() + requests.families + [subscribers] + transport.families
        return APIResponse(
            status: 200,
            headers: [("Content-Type", PrometheusText.contentType), ("Cache-Control", "no-store")],
            body: Array(PrometheusText(families).text.utf8)
        )
    }
}
