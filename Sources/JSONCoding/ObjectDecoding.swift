/// The fields of an object.
struct ObjectDecoding<Key: CodingKey>: KeyedDecodingContainerProtocol {
    private let node: JSONNode
    private let isOpen: Bool

    /// Refuses a value that is no object and, when asked to, a field that is no `Key`.
    init(_ node: JSONNode) throws(JSONProblem) {
        try node.requireObject()
        self.node = node
        self.isOpen = FieldName.isOpen(Key.self)
        guard node.unknownFields == .refuse, !isOpen else { return }
        for name in node.fieldNames where FieldName.key(Key.self, named: name) == nil {
            throw JSONProblem(
                .unknownField,
                at: .field(name, of: node.path),
                "there is no field of this name"
            )
        }
    }

    var codingPath: [any CodingKey] { node.path.keys }

    var allKeys: [Key] {
        node.fieldNames.compactMap {
            isOpen ? Key(stringValue: $0) : FieldName.key(Key.self, named: $0)
        }
    }

    func contains(_ key: Key) -> Bool { node.field(name(key)) != nil }

    func decodeNil(forKey key: Key) throws -> Bool { try field(key).isNull }

    func decode<T: JSONPrimitive>(_ type: T.Type, forKey key: Key) throws -> T {
        try T.read(field(key))
    }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        try NodeDecoder(node: field(key)).value(type)
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type,
        forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> {
        KeyedDecodingContainer(try ObjectDecoding<NestedKey>(field(key)))
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try ArrayDecoding(field(key))
    }

    func superDecoder() throws -> any Decoder { NodeDecoder(node: try field(named: "super")) }

    func superDecoder(forKey key: Key) throws -> any Decoder { NodeDecoder(node: try field(key)) }

    private func name(_ key: Key) -> String {
        isOpen ? key.stringValue : FieldName.ofOwnProperty(key.stringValue)
    }

    private func field(_ key: Key) throws(JSONProblem) -> JSONNode { try field(named: name(key)) }

    private func field(named name: String) throws(JSONProblem) -> JSONNode {
        guard let field = node.field(name) else {
            throw JSONProblem(
                .missingField,
                at: .field(name, of: node.path),
                "the field is missing"
            )
        }
        return field
    }
}
