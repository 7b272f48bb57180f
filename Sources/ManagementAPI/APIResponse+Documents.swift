internal import APISchema
internal import JSONCoding
internal import MigrationCore

extension APIResponse {
    /// A document with the status of success.
    static func document(
        _ document: some Encodable,
        status: Int = 200,
        headers: [(name: String, value: String)] = []
    ) throws(Problem) -> Self {
        .document(text: try text(of: document), status: status, headers: headers)
    }

    /// The text of a document with the status of success.
    static func document(
        text: [UInt8],
        status: Int = 200,
        headers: [(name: String, value: String)] = [],
        form: AnswerForm? = nil
    ) -> Self {
        Self(
            status: status,
            headers: contentHeaders("application/json") + headers,
            body: text,
            form: form
        )
    }

    /// One page of a list; `next_cursor` is null on the last one.
    static func page(of items: [some Encodable], nextCursor: String?) throws(Problem) -> Self {
        var texts: [[UInt8]] = []
        texts.reserveCapacity(items.count)
        for item in items { texts.append(try text(of: item)) }
        return .page(of: texts, nextCursor: nextCursor)
    }

    /// One page of a list whose items are texts already.
    static func page(of texts: [[UInt8]], nextCursor: String?) -> Self {
        .document(text: JSONWriter.list(items: texts, nextCursor: nextCursor))
    }

    /// Success without a document.
    static let noContent = Self(status: 204, headers: [], body: [])

    /// An error as RFC 9457 tells it.
    static func problem(_ problem: Problem, instance: String?) -> Self {
        let document = ProblemDTO(problem, instance: instance)
        var headers = contentHeaders("application/problem+json")
        if let allow = document.allow {
            headers.append(("Allow", allow.joined(separator: ", ")))
        }
        if problem.code == .rangeNotSatisfiable, let byteCount = problem.facts.byteCount {
            headers.append(("Content-Range", "bytes */\(byteCount)"))
        }
        if let seconds = document.retryAfterS { headers.append(("Retry-After", "\(seconds)")) }
        do throws(JSONProblem) {
            return Self(
                status: document.status,
                headers: headers,
                body: try JSONWriter.encode(document)
            )
        } catch {
            // A fact that JSON cannot hold: say what is certain.
            let certain = Problem(problem.code, "The details cannot be written as JSON.")
            let body = try? JSONWriter.encode(ProblemDTO(certain, instance: nil))
            return Self(status: document.status, headers: headers, body: body ?? [])
        }
    }

    static func text(of document: some Encodable) throws(Problem) -> [UInt8] {
        do throws(JSONProblem) {
            return try JSONWriter.encode(document)
        } catch {
            throw Problem(
                .internalError,
                "The answer cannot be written: \(error.detail) at \(error.pointer)."
            )
        }
    }

    private static func contentHeaders(_ type: String) -> [(name: String, value: String)] {
        // States change by the millisecond: nobody may answer for us.
        [("Content-Type", type), ("Cache-Control", "no-store")]
    }
}
