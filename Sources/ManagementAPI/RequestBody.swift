internal import JSONCoding
internal import MigrationCore

/// The body of a request: JSON, read strictly.
enum RequestBody {
    /// Refuses a media type other than `application/json`, and a charset other than UTF-8.
    static func requireJSON(_ contentType: String?) throws(Problem) {
        guard let contentType else {
            throw Problem(.unsupportedMediaType, "The body must be application/json.")
        }
        let parts = contentType.split(separator: ";", omittingEmptySubsequences: false)
            .map { trimmed($0).lowercased() }
        let parameters = parts.dropFirst().filter { !$0.isEmpty }
        let isUTF8 = parameters.allSatisfy { ["charset=utf-8", "charset=\"utf-8\""].contains($0) }
        guard parts.first == "application/json", isUTF8 else {
            throw Problem(
                .unsupportedMediaType,
                "The body must be application/json, in UTF-8 if it says so."
            )
        }
    }

    static func decode<Document: Decodable>(
        _ type: Document.Type,
        from bytes: [UInt8]
    ) throws(Problem) -> Document {
        do throws(JSONProblem) {
            return try JSONReader.decode(type, from: bytes, unknownFields: .refuse)
        } catch {
            throw problem(error)
        }
    }

    /// A document at fault as the API tells it: 400 for what is no JSON of ours at all, 422 for
    /// fields that are not what they must be.
    static func problem(_ fault: JSONProblem) -> Problem {
        let code: Problem.Code =
            switch fault.kind {
            case .malformed, .duplicateKey, .tooDeep, .notUTF8: .badRequest
            case .unknownField: .unknownField
            case .missingField, .wrongType, .invalidValue, .numberOutOfRange: .invalidField
            }
        var problem = Problem(code, sentence(fault))
        // A text that is no JSON has no fields to point at.
        if code != .badRequest || !fault.pointer.isEmpty { problem.facts.pointer = fault.pointer }
        return problem
    }

    private static func sentence(_ fault: JSONProblem) -> String {
        fault.detail.prefix(1).uppercased() + fault.detail.dropFirst() + "."
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let isSpace = { (character: Character) in character == " " || character == "\t" }
        let start = text.drop(while: isSpace)
        guard let end = start.lastIndex(where: { !isSpace($0) }) else { return "" }
        return start[...end]
    }
}
