internal import APISchema
internal import JSONCoding

/// The API of one ferryd, call by call.
///
/// Calls block their thread until the answer is there. A client belongs to one thread at a time.
package final class APIClient {
    /// How long an answer may take beside the time a long poll asks for, in seconds: a call may
    /// reset a device, and those take their time.
    package static let standardAnswerSeconds = 120

    let transport: CurlTransport
    let answerSeconds: Int

    package convenience init(
        server: ServerAddress,
        answerSeconds: Int = standardAnswerSeconds
    ) throws(ClientProblem) {
        self.init(transport: try CurlTransport(server: server), answerSeconds: answerSeconds)
    }

    init(transport: CurlTransport, answerSeconds: Int = standardAnswerSeconds) {
        self.transport = transport
        self.answerSeconds = answerSeconds
    }

    func get<Document: Decodable>(
        _ path: String,
        _ query: [(name: String, value: String)] = [],
        waitSeconds: Int = 0
    ) throws(ClientProblem) -> Document {
        try Self.document(in: send("GET", path, query, waitSeconds: waitSeconds))
    }

    func post<Document: Decodable>(
        _ path: String,
        _ body: (some Encodable)? = String?.none
    ) throws(ClientProblem) -> Document {
        try post(path, body, headers: [])
    }

    func post<Document: Decodable>(
        _ path: String,
        _ body: (some Encodable)?,
        headers: [(name: String, value: String)]
    ) throws(ClientProblem) -> Document {
        try Self.document(in: send("POST", path, [], body: Self.text(of: body), headers: headers))
    }

    /// Sets something to what it shall be, whatever it was.
    func replace<Document: Decodable>(
        _ path: String,
        _ body: some Encodable
    ) throws(ClientProblem) -> Document {
        try Self.document(in: send("PUT", path, [], body: Self.text(of: body)))
    }

    /// Replaces a document that has not changed since it was read.
    func put<Document: Decodable>(
        _ path: String,
        _ body: some Encodable,
        ifMatch tag: String
    ) throws(ClientProblem) -> Document {
        try Self.document(
            in: send("PUT", path, [], body: Self.text(of: body), headers: [("If-Match", tag)])
        )
    }

    @discardableResult
    func send(
        _ method: String,
        _ path: String,
        _ query: [(name: String, value: String)] = [],
        body: CurlTransport.Body = .none,
        headers: [(name: String, value: String)] = [],
        waitSeconds: Int = 0
    ) throws(ClientProblem) -> CurlTransport.Response {
        try perform(
            CurlTransport.Request(
                method: method,
                target: Self.target(path, query),
                headers: headers,
                body: body,
                patience: .whole(seconds: waitSeconds + answerSeconds)
            )
        )
    }

    /// Makes a request; an answer that is no success is thrown as what it says.
    @discardableResult
    func perform(
        _ request: CurlTransport.Request,
        into sink: (any AnswerSink)? = nil
    ) throws(ClientProblem) -> CurlTransport.Response {
        let response = try transport.perform(request, into: sink)
        guard (200..<300).contains(response.status) else { throw Self.problem(in: response) }
        return response
    }

    static func target(_ path: String, _ query: [(name: String, value: String)]) -> String {
        let pairs = query.map { "\($0.name)=\(percentEncoded($0.value))" }
        return pairs.isEmpty ? path : "\(path)?\(pairs.joined(separator: "&"))"
    }

    /// Every item of a list, page by page.
    func items<Item: Hashable & Sendable & Codable>(
        _ path: String,
        _ choice: ListChoice = ListChoice(),
        cursorName: String = "cursor",
        limit: Int = .max
    ) throws(ClientProblem) -> [Item] {
        var items: [Item] = []
        var cursor: String?
        repeat {
            var query = [("limit", "\(min(1000, limit - items.count))")] + choice.query
            if let cursor { query.append((cursorName, cursor)) }
            let page: PageDTO<Item> = try get(path, query)
            items += page.items
            guard page.nextCursor != cursor || cursor == nil else {
                throw .notUnderstood(status: 200, detail: "The list does not come to an end.")
            }
            cursor = page.nextCursor
        } while cursor != nil && items.count < limit
        return items
    }

    private static func text(of body: (some Encodable)?) throws(ClientProblem) -> CurlTransport.Body
    {
        guard let body else { return .none }
        do throws(JSONProblem) {
            return .document(try JSONWriter.encode(body))
        } catch {
            throw .notUnderstood(
                status: 0,
                detail: "The request cannot be written: \(error.detail)."
            )
        }
    }

    static func document<Document: Decodable>(
        in response: CurlTransport.Response
    ) throws(ClientProblem) -> Document {
        do throws(JSONProblem) {
            // Answers may gain fields.
            return try JSONReader.decode(
                Document.self,
                from: response.body,
                unknownFields: .ignore
            )
        } catch {
            throw .notUnderstood(
                status: response.status,
                detail: "The answer is not as expected: \(error.detail) at \"\(error.pointer)\"."
            )
        }
    }

    static func problem(in response: CurlTransport.Response) -> ClientProblem {
        guard response.isProblem,
            let problem = try? JSONReader.decode(
                ProblemDTO.self,
                from: response.body,
                unknownFields: .ignore
            )
        else {
            return .notUnderstood(
                status: response.status,
                detail: "The answer is an error without a problem document."
            )
        }
        return .refused(problem)
    }
}

/// A text as one segment of a path or one value of a query.
func percentEncoded(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: ":"):
            encoded.unicodeScalars.append(Unicode.Scalar(byte))
        default:
            let digits = String(byte, radix: 16, uppercase: true)
            encoded += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
        }
    }
    return encoded
}

extension CurlTransport.Response {
    /// Whether it is a refusal in the API's own words.
    var isProblem: Bool { head.contentType?.hasPrefix("application/problem+json") == true }
}
