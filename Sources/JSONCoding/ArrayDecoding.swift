/// The items of an array, one after another.
struct ArrayDecoding: UnkeyedDecodingContainer {
    private let node: JSONNode
    private(set) var currentIndex = 0

    init(_ node: JSONNode) throws(JSONProblem) {
        try node.requireArray()
        self.node = node
    }

    var codingPath: [any CodingKey] { node.path.keys }
    var count: Int? { node.itemCount }
    var isAtEnd: Bool { currentIndex >= node.itemCount }

    mutating func decodeNil() throws -> Bool {
        guard try current().isNull else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<T: JSONPrimitive>(_ type: T.Type) throws -> T {
        let value = try T.read(current())
        currentIndex += 1
        return value
    }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        let value = try NodeDecoder(node: current()).value(type)
        currentIndex += 1
        return value
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> {
        let nested = try ObjectDecoding<NestedKey>(current())
        currentIndex += 1
        return KeyedDecodingContainer(nested)
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        let nested = try ArrayDecoding(current())
        currentIndex += 1
        return nested
    }

    mutating func superDecoder() throws -> any Decoder {
        let decoder = NodeDecoder(node: try current())
        currentIndex += 1
        return decoder
    }

    private func current() throws(JSONProblem) -> JSONNode {
        guard let item = node.item(currentIndex) else {
            throw JSONProblem(
                .missingField,
                at: .item(currentIndex, of: node.path),
                "the array has no more items"
            )
        }
        return item
    }
}
