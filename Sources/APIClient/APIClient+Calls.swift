package import APISchema

/// The operations of openapi/ferry.yaml. Each throws what the server says against it.
extension APIClient {
    package func host() throws(ClientProblem) -> HostDTO { try get("/v1/host") }

    /// Whether ferryd takes work, and if not, why.
    package func readiness() throws(ClientProblem) -> ReadinessDTO {
        let response = try transport.perform(
            CurlTransport.Request(
                method: "GET",
                target: "/readyz",
                patience: .whole(seconds: answerSeconds)
            )
        )
        // It says so with 503, and in the same document; a server that cannot even say it refuses.
        guard !response.isProblem else { throw Self.problem(in: response) }
        return try Self.document(in: response)
    }

    /// The metrics as Prometheus reads them.
    package func metrics() throws(ClientProblem) -> String {
        String(decoding: try send("GET", "/metrics").body, as: UTF8.self)
    }

    // MARK: Devices

    package func devices(
        _ choice: ListChoice = ListChoice(),
        limit: Int = .max
    ) throws(ClientProblem) -> [DeviceDTO] {
        try items("/v1/devices", choice, limit: limit)
    }

    package func device(_ id: String) throws(ClientProblem) -> DeviceDTO {
        try get(path("devices", id))
    }

    package func probeDevice(_ id: String) throws(ClientProblem) -> DeviceDTO {
        try post(path("devices", id) + "/probe")
    }

    package func bindDevice(
        _ id: String,
        _ request: BindRequestDTO
    ) throws(ClientProblem) -> DeviceDTO {
        try post(path("devices", id) + "/bind", request)
    }

    package func unbindDevice(
        _ id: String,
        _ request: UnbindRequestDTO
    ) throws(ClientProblem) -> DeviceDTO {
        try post(path("devices", id) + "/unbind", request)
    }

    package func setVirtualFunctions(
        of id: String,
        _ request: VirtualFunctionsDTO
    ) throws(ClientProblem) -> DeviceDTO {
        try replace(path("devices", id) + "/virtual-functions", request)
    }

    package func mediatedTypes() throws(ClientProblem) -> [MediatedTypeDTO] {
        let page: PageDTO<MediatedTypeDTO> = try get("/v1/mdev-types")
        return page.items
    }

    package func createMediatedDevice(
        _ request: MediatedRequestDTO
    ) throws(ClientProblem) -> DeviceDTO {
        try post("/v1/mdevs", request)
    }

    package func removeMediatedDevice(_ uuid: String) throws(ClientProblem) {
        try send("DELETE", path("mdevs", uuid))
    }

    // MARK: Sessions

    package func sessions(
        _ choice: ListChoice = ListChoice(),
        limit: Int = .max
    ) throws(ClientProblem) -> [SessionDTO] {
        try items("/v1/sessions", choice, limit: limit)
    }

    package func session(_ id: String) throws(ClientProblem) -> SessionDTO {
        try get(path("sessions", id))
    }

    package func openSession(_ request: SessionRequestDTO) throws(ClientProblem) -> SessionDTO {
        try post("/v1/sessions", request)
    }

    package func closeSession(
        _ id: String,
        discardContent: Bool
    ) throws(ClientProblem) -> SessionDTO {
        let query = discardContent ? [("discard_content", "true")] : []
        return try Self.document(in: send("DELETE", path("sessions", id), query))
    }

    // MARK: Jobs

    package func jobs(
        _ choice: ListChoice = ListChoice(),
        limit: Int = .max
    ) throws(ClientProblem) -> [JobDTO] {
        try items("/v1/jobs", choice, limit: limit)
    }

    package func job(_ id: String) throws(ClientProblem) -> JobDTO { try get(path("jobs", id)) }

    /// The job when its generation is past the given one, or as it is after some seconds.
    package func job(
        _ id: String,
        afterGeneration generation: Int64,
        waitSeconds: Int
    ) throws(ClientProblem) -> JobDTO {
        try get(
            path("jobs", id),
            [("after_generation", "\(generation)"), ("wait", "\(waitSeconds)")],
            waitSeconds: waitSeconds
        )
    }

    /// Forgets a job that has ended, with its journal.
    package func deleteJob(_ id: String) throws(ClientProblem) {
        try send("DELETE", path("jobs", id))
    }

    package func cancelJob(_ id: String) throws(ClientProblem) -> JobDTO {
        try post(path("jobs", id) + "/cancel")
    }

    package func switchOverJob(_ id: String) throws(ClientProblem) -> JobDTO {
        try post(path("jobs", id) + "/switchover")
    }

    package func resolveJob(
        _ id: String,
        _ request: ResolveRequestDTO
    ) throws(ClientProblem) -> JobDTO {
        try post(path("jobs", id) + "/resolve", request)
    }

    /// The limits of a job, with the entity tag a change of them names.
    package func limits(
        ofJob id: String
    ) throws(ClientProblem) -> (limits: JobLimitsDTO, tag: String) {
        let response = try send("GET", path("jobs", id) + "/limits")
        return (try Self.document(in: response), response.head.tag ?? "*")
    }

    package func changeLimits(
        ofJob id: String,
        to limits: JobRequestLimitsDTO,
        ifMatch tag: String
    ) throws(ClientProblem) -> JobLimitsDTO {
        try put(path("jobs", id) + "/limits", limits, ifMatch: tag)
    }

    package func journal(ofJob id: String) throws(ClientProblem) -> [JournalLineDTO] {
        try items(path("jobs", id) + "/journal", cursorName: "after")
    }

    // MARK: Images

    package func images(
        _ choice: ListChoice = ListChoice(),
        limit: Int = .max
    ) throws(ClientProblem) -> [ImageDTO] {
        try items("/v1/images", choice, limit: limit)
    }

    package func image(_ id: String) throws(ClientProblem) -> ImageDTO {
        try get(path("images", id))
    }

    package func deleteImage(_ id: String) throws(ClientProblem) {
        try send("DELETE", path("images", id))
    }

    // MARK: Audit

    package func audit(
        _ choice: ListChoice = ListChoice(),
        limit: Int = .max
    ) throws(ClientProblem) -> [AuditRecordDTO] {
        try items("/v1/audit", choice, limit: limit)
    }

    package func auditRecord(_ id: String) throws(ClientProblem) -> AuditRecordDTO {
        try get(path("audit", id))
    }

    func path(_ collection: String, _ id: String) -> String {
        "/v1/\(collection)/\(percentEncoded(id))"
    }
}
