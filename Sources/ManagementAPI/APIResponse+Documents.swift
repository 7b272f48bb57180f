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
        headers: [(name: String, value: String)] = []
    ) -> Self {
        Self(status: status, headers: contentHeaders("application/json") + headers, body: text)
    }

    /// A document with the tag by which a reader who has it need not be sent it again.
    static func tagged(
        _ text: [UInt8],
        _ tag: EntityTag? = nil,
        form: AnswerForm? = nil
    ) -> Self {
        let tag = tag ?? EntityTag(of: text)
        // States change by the millisecond: it may be kept, but not used before we were asked.
        let headers = contentHeaders("application/json", cache: "no-cache")
        return Self(
            status: 200,
            headers: headers + [("ETag", "\(tag)")],
            body: text,
            form: form
        )
    }

    /// One page of a list; `next_cursor` is null on the last one.
    static func page(of items: [some Encodable], nextCursor: String?) throws(Problem) -> Self {
        .page(
            of: try items.map { item throws(Problem) in try text(of: item) },
            nextCursor: nextCursor
        )
    }

    /// One page of a list whose items are texts already.
    static func page(of texts: [[UInt8]], nextCursor: String?) -> Self {
        .tagged(JSONWriter.list(items: texts, nextCursor: nextCursor))
    }

    /// One page of a list of whole documents.
    static func page(of documents: [KeptDocument], nextCursor: String?) -> Self {
        let digest = TextDigest(of: documents.map(\.digest), nextCursor: nextCursor)
        return .tagged(
            JSONWriter.list(items: documents.map(\.text), nextCursor: nextCursor),
            EntityTag(digest)
        )
    }

    /// What a reader who has this very document is told: the transport keeps the body back, and
    /// says its length as it must (RFC 9110, 8.6).
    func unlessKnown(to reader: EntityTagList) -> Self {
        guard status == 200, let tag, reader.names(tag) else { return self }
        return Self(status: 304, headers: headers, body: body, form: form)
    }

    private var tag: EntityTag? {
        guard let text = headers.first(where: { $0.name == "ETag" })?.value,
            case .tags(let tags)? = EntityTagList(text)
        else { return nil }
        return tags.first
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

    private static func contentHeaders(
        _ type: String,
        cache: String = "no-store"
    ) -> [(name: String, value: String)] {
        [("Content-Type", type), ("Cache-Control", cache)]
    }
}
