import JSONCoding

/// Any text read as JSON: it is refused with a place, or read; what was read and written again is
/// the same.
enum JSONFuzz {
    static func run(_ input: [UInt8]) {
        let document: AnyDocument
        do throws(JSONProblem) {
            document = try JSONReader.decode(AnyDocument.self, from: input, unknownFields: .refuse)
        } catch {
            promised(!error.detail.isEmpty, "a refusal says why")
            return
        }
        guard let text = try? JSONWriter.encode(document) else {
            return promised(false, "what was read can be written")
        }
        let again = try? JSONReader.decode(AnyDocument.self, from: text, unknownFields: .refuse)
        promised(again == document, "what was written is what was read")
    }
}

/// A document of no type in particular.
indirect enum AnyDocument: Codable, Equatable {
    case boolean(Bool)
    case integer(Int64)
    case real(Double)
    case text(String)
    case list([AnyDocument])
    case object([String: AnyDocument])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let boolean = try? value.decode(Bool.self) {
            self = .boolean(boolean)
        } else if let integer = try? value.decode(Int64.self) {
            self = .integer(integer)
        } else if let real = try? value.decode(Double.self) {
            self = .real(real)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let list = try? value.decode([AnyDocument].self) {
            self = .list(list)
        } else {
            self = .object(try value.decode([String: AnyDocument].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .boolean(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .real(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .list(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}
