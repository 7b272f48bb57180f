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
    private let targets = TargetMemo()

    package init(engine: Engine) {
        self.engine = engine
        devices = DocumentCache(id: { $0.record.id.text }, document: { DeviceDTO($0) })
        sessions = DocumentCache(id: { $0.id.text }, document: { SessionDTO($0) })
        jobs = DocumentCache(id: { $0.job.id.text }, document: { JobDTO($0) })
        images = DocumentCache(id: { $0.id.text }, document: { ImageDTO($0) })
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
        var answer = PendingAnswer(rawPath: request.rawPath, send: reply)
        do throws(Problem) {
            let call = try Call(request, targets)
            answer.known = call.ifNoneMatch
            switch try outcome(of: call) {
            case .ready(let response): answer.complete { () throws(Problem) in response }
            case .blocking(let work): perform(work, answer)
            case .whenChanged(let id, let generation, let seconds, let selection):
                engine.awaitChange(of: id, after: generation, seconds: seconds) { [self, answer] in
                    show(id, selection, answer)
                }
            }
        } catch {
            answer.complete { () throws(Problem) in throw error }
        }
    }

    /// The answer to a request the transport refuses by itself.
    package static func response(to refusal: TransportRefusal, rawPath: String) -> APIResponse {
        .problem(refusal.problem, instance: instance(rawPath))
    }

    private func perform(
        _ work: @escaping @Sendable () throws(Problem) -> APIResponse,
        _ answer: PendingAnswer
    ) {
        do throws(Problem) {
            try engine.perform { answer.complete(work) }
        } catch {
            answer.complete { () throws(Problem) in throw error }
        }
    }

    /// Shows a job to somebody who waited for it.
    ///
    /// Not on the thread that changed it: that is the job's own, and may be in its downtime.
    private func show(_ id: JobID, _ selection: FieldSelection?, _ answer: PendingAnswer) {
        let work = { @Sendable [self] () throws(Problem) in
            try jobs.response(for: engine.job(id), selection)
        }
        do throws(Problem) {
            try engine.perform { answer.complete(work) }
        } catch {
            // Whoever waited for a change is told of it even when much else is to be done.
            guard let view = engine.recentJob(id) else { return answer.complete(work) }
            answer.complete { () throws(Problem) in try jobs.response(for: view, selection) }
        }
    }

    /// The path as it came, where it is fit to be repeated.
    fileprivate static func instance(_ rawPath: String) -> String? {
        let isPlain = rawPath.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        return isPlain && rawPath.utf8.count <= 512 ? rawPath : nil
    }
}

/// The one answer a request waits for.
private struct PendingAnswer: Sendable {
    let rawPath: String
    let send: @Sendable (APIResponse) -> Void
    /// What the client has already.
    var known: EntityTagList?

    func complete(_ work: () throws(Problem) -> APIResponse) {
        do throws(Problem) {
            let response = try work()
            send(known.map(response.unlessKnown) ?? response)
        } catch {
            send(.problem(error, instance: ManagementAPI.instance(rawPath)))
        }
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
        case .shuttingDown:
            Problem(.shuttingDown, "The daemon is stopping and takes no more requests.")
        }
    }
}
