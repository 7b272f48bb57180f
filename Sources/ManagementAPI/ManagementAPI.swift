internal import APISchema
package import JobEngine
internal import MigrationCore

/// The routes of the API over one engine.
package final class ManagementAPI: Sendable {
    let engine: Engine
    let devices: DocumentCache<DeviceView>
    let sessions: DocumentCache<SessionRecord>
    let jobs: DocumentCache<JobView>
    let images: DocumentCache<ImageRecord>
    let audit: DocumentCache<AuditRecord>
    /// What the transports measure of their connections.
    package let transport = TransportMetrics()
    let requests = RequestMetrics()
    let scrapes: ScrapeQueue
    let accessLog: AccessLog?
    let targets = TargetMemo()

    package init(engine: Engine, accessLog: AccessLog? = nil) {
        self.engine = engine
        self.accessLog = accessLog
        scrapes = ScrapeQueue { [transport, requests] in
            Self.metrics(of: engine, requests, transport)
        }
        // All of a large host's, for a list that goes beyond the limit renders everything anew.
        devices = DocumentCache(
            countLimit: 16_384,
            byteLimit: 16 << 20,
            id: { $0.record.id.text },
            document: { DeviceDTO($0) }
        )
        sessions = DocumentCache(id: { $0.id.text }, document: { SessionDTO($0) })
        jobs = DocumentCache(id: { $0.job.id.text }, document: { JobDTO($0) })
        images = DocumentCache(id: { $0.id.text }, document: { ImageDTO($0) })
        audit = DocumentCache(id: { $0.id.text }, document: { AuditRecordDTO($0) })
        Self.encodeEvents(of: engine.events)
    }

    /// Answers a request by calling `reply` exactly once: at once on this thread for reads of
    /// memory, later from another for everything else.
    ///
    /// Never blocks. HEAD is answered like GET, and 304 is, body and all: the transport keeps the body
    /// back.
    package func respond(
        to request: APIRequest,
        reply: @escaping @Sendable (APIResponse) -> Void
    ) {
        var answer = PendingAnswer(to: request, of: self, reply: reply)
        do throws(Problem) {
            let target = try targets.target(of: request)
            answer.didRoute(target)
            let call = try Call(request, target, requestID: answer.requestID)
            answer.known = call.ifNoneMatch
            switch try outcome(of: call) {
            case .ready(let response): answer.finish(response)
            case .blocking(let work): perform(work, answer)
            case .elsewhere(let work): try work { [answer] in answer.complete($0) }
            case .whenChanged(let id, let generation, let seconds, let selection):
                engine.awaitChange(of: id, after: generation, seconds: seconds) { [self, answer] in
                    show(id, selection, answer)
                }
            case .scrape: try scrapes.ask { [answer] in answer.finish($0) }
            }
        } catch {
            answer.fail(error)
        }
    }

    /// The answer to a request the transport refuses by itself; counted, named and logged.
    package func refuse(_ refusal: TransportRefusal, _ request: RefusedRequest) -> APIResponse {
        transport.didRefuse(refusal)
        let id = RequestID.said(request.requestID) ?? RequestID.next()
        let response = Self.response(to: refusal, rawPath: request.rawPath, requestID: id)
        if response.status >= 500 {
            accessLog?(
                AccessRecord(
                    requestID: id,
                    caller: request.caller.name,
                    endpoint: nil,
                    method: request.method.map { String($0.prefix(32)) },
                    path: String(request.rawPath.prefix(256)),
                    status: response.status,
                    problem: refusal.problem.code.rawValue,
                    nanoseconds: 0,
                    traceID: nil
                )
            )
        }
        return response.named(id)
    }

    /// The answer to a request the transport refuses by itself.
    package static func response(
        to refusal: TransportRefusal,
        rawPath: String,
        requestID: String? = nil
    ) -> APIResponse {
        .problem(refusal.problem, instance: instance(rawPath), requestID: requestID)
    }

    private func perform(
        _ work: @escaping @Sendable () throws(Problem) -> APIResponse,
        _ answer: PendingAnswer
    ) {
        do throws(Problem) {
            try engine.perform { answer.complete(work) }
        } catch {
            answer.fail(error)
        }
    }

    /// Shows a job to somebody who waited for it.
    ///
    /// Not on the thread that changed it: that is the job's own, and may be in its downtime.
    private func show(_ id: JobID, _ selection: FieldSelection?, _ answer: PendingAnswer) {
        var answer = answer
        answer.didWait()
        let work = { @Sendable [self] () throws(Problem) in
            try jobs.response(for: engine.job(id), selection)
        }
        do throws(Problem) {
            try engine.perform { [answer] in answer.complete(work) }
        } catch {
            // Whoever waited for a change is told of it even when much else is to be done.
            guard let view = engine.recentJob(id) else { return answer.complete(work) }
            answer.complete { () throws(Problem) in try jobs.response(for: view, selection) }
        }
    }

    /// The path as it came, where it is fit to be repeated.
    static func instance(_ rawPath: String) -> String? {
        let isPlain = rawPath.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        return isPlain && rawPath.utf8.count <= 512 ? rawPath : nil
    }
}

extension TransportRefusal {
    fileprivate var problem: Problem {
        switch self {
        case .bodyTooLarge(let limit):
            Problem(.payloadTooLarge, "A request body has at most \(limit) bytes.")
        case .headersTooLarge(let limit):
            Problem(.headersTooLarge, "The head of a request has at most \(limit) bytes.")
        case .badRequest(let what): Problem(.badRequest, what)
        case .unknownExpectation(let what):
            Problem(.expectationFailed, "Ferry does not know the expectation \(what.prefix(64)).")
        case .foreignHost(let host):
            Problem(.forbidden, "The Host \(host.prefix(64)) is not one of this daemon's.")
        case .foreignOrigin(let origin):
            Problem(.forbidden, "The Origin \(origin.prefix(64)) is not one of this daemon's.")
        case .overloaded:
            Problem(
                .overloaded,
                "The request bodies that are coming in take all the room there is."
            )
        case .shuttingDown:
            Problem(.shuttingDown, "The daemon is stopping and takes no more requests.")
        }
    }
}
