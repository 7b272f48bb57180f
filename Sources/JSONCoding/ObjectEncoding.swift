/// The fields of an object that is being encoded.
struct ObjectEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let encoder: SlotEncoder
    let object: JSONHandle
    let isOpen: Bool

    var codingPath: [any CodingKey] { encoder.codingPath }

    func encodeNil(forKey key: Key) throws { try field(key).writeNull() }

    func encode<T: JSONPrimitive>(_ value: T, forKey key: Key) throws {
        try field(key).write(value)
    }

    func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try field(key).write(value) }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type,
        forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> {
        field(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        field(key).unkeyedContainer()
    }

    func superEncoder() -> any Encoder { field(named: "super") }

    func superEncoder(forKey key: Key) -> any Encoder { field(key) }

    private func field(_ key: Key) -> SlotEncoder {
        field(named: isOpen ? key.stringValue : FieldName.ofOwnProperty(key.stringValue))
    }

    private func field(named name: String) -> SlotEncoder {
        SlotEncoder(
            document: encoder.document,
            slot: .field(name, of: object),
            path: .field(name, of: encoder.path),
            depth: encoder.depth + 1
        )
    }
}
