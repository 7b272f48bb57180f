/// The items of an array that is being encoded.
struct ArrayEncoding: UnkeyedEncodingContainer {
    let encoder: SlotEncoder
    let array: JSONHandle
    private(set) var count = 0

    init(encoder: SlotEncoder, array: JSONHandle) {
        self.encoder = encoder
        self.array = array
    }

    var codingPath: [any CodingKey] { encoder.codingPath }

    mutating func encodeNil() throws { try next().writeNull() }

    mutating func encode<T: JSONPrimitive>(_ value: T) throws { try next().write(value) }

    mutating func encode<T: Encodable>(_ value: T) throws { try next().write(value) }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) -> KeyedEncodingContainer<NestedKey> {
        next().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        next().unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder { next() }

    private mutating func next() -> SlotEncoder {
        defer { count += 1 }
        return SlotEncoder(
            document: encoder.document,
            slot: .item(of: array),
            path: .item(count, of: encoder.path),
            depth: encoder.depth + 1
        )
    }
}
