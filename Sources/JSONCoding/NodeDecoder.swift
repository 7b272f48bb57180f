/// A value of a document as the `Decoder` of the type it becomes.
struct NodeDecoder: Decoder {
    let node: JSONNode

    var codingPath: [any CodingKey] { node.path.keys }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(
        keyedBy type: Key.Type
    ) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(try ObjectDecoding<Key>(node))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { try ArrayDecoding(node) }

    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        ValueDecoding(node: node)
    }

    /// The whole value; whatever its type throws becomes a problem with the path.
    func value<T: Decodable>(_ type: T.Type) throws(JSONProblem) -> T {
        do {
            return try T(from: self)
        } catch let problem as JSONProblem {
            throw problem
        } catch let error as DecodingError {
            throw JSONProblem(error, of: type, at: node)
        } catch {
            throw JSONProblem(.invalidValue, at: node.path, "\(error)")
        }
    }
}

extension JSONProblem {
    /// The problem a type of ours tells in the standard library's words.
    fileprivate init<T>(_ error: DecodingError, of type: T.Type, at node: JSONNode) {
        switch error {
        case .dataCorrupted(let context):
            let choices = (type as? any CaseIterable.Type).flatMap { rawValues(of: $0) }
            self.init(
                .invalidValue,
                at: JSONPath.pointer(of: context.codingPath),
                choices.map { "must be one of \($0.joined(separator: ", "))" }
                    ?? context.debugDescription
            )
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            self.init(
                .wrongType,
                at: JSONPath.pointer(of: context.codingPath),
                context.debugDescription
            )
        case .keyNotFound(let key, let context):
            self.init(
                .missingField,
                at: JSONPath.pointer(of: context.codingPath + [key]),
                "the field is missing"
            )
        @unknown default:
            self.init(.invalidValue, at: node.path, "\(error)")
        }
    }
}

/// The raw values of an enumeration of strings.
private func rawValues<T: CaseIterable>(of type: T.Type) -> [String]? {
    let values = type.allCases.compactMap { ($0 as? any RawRepresentable)?.rawValue as? String }
    return values.isEmpty ? nil : values
}

/// A value that is not an object's or an array's to take apart.
struct ValueDecoding: SingleValueDecodingContainer {
    let node: JSONNode

    var codingPath: [any CodingKey] { node.path.keys }

    func decodeNil() -> Bool { node.isNull }

    func decode<T: JSONPrimitive>(_ type: T.Type) throws -> T { try T.read(node) }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        try NodeDecoder(node: node).value(type)
    }
}
