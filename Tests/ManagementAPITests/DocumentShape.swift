@testable import JSONCoding

/// What a place in a document holds.
indirect enum DocumentShape: Hashable, CustomStringConvertible {
    case string
    case integer
    case boolean
    case list(DocumentShape)
    /// An object whose names are data.
    case map(DocumentShape)
    case object(String)

    var description: String {
        switch self {
        case .string: "string"
        case .integer: "integer"
        case .boolean: "boolean"
        case .list(let item): "[\(item)]"
        case .map(let item): "map of \(item)"
        case .object(let name): name
        }
    }
}

/// An object's field, by what a type decodes or a schema says.
struct DocumentField: Hashable, CustomStringConvertible {
    let name: String
    let shape: DocumentShape
    let isRequired: Bool

    var description: String { "\(name): \(shape)\(isRequired ? "" : "?")" }
}

/// Finds the fields of a type by letting it decode made-up values and noting what it asks for.
final class ShapeProbe {
    private(set) var objects: [String: Set<DocumentField>] = [:]

    /// Notes the fields of a type, and of those in it, by their names without `DTO`.
    func note<T: Decodable>(_ type: T.Type) throws { _ = try made(type) }

    fileprivate func add(_ field: DocumentField, to object: String) {
        objects[object, default: []].insert(field)
    }

    fileprivate func made<T: Decodable>(_ type: T.Type) throws -> (value: T, shape: DocumentShape) {
        if let value = "" as? T { return (value, .string) }
        if let value = false as? T { return (value, .boolean) }
        if let value = [String: String]() as? T, type is [String: String].Type {
            return (value, .map(.string))
        }
        if let integer = type as? any FixedWidthInteger.Type, let value = integer.init(0) as? T {
            return (value, .integer)
        }
        let typeName = "\(type)"
        let decoder = ProbeDecoder(
            probe: self,
            name: typeName.hasSuffix("DTO") ? String(typeName.dropLast(3)) : typeName
        )
        let value = try type.init(from: decoder)
        return (value, decoder.list.item.map(DocumentShape.list) ?? .object(decoder.name))
    }
}

private final class ListShape {
    var item: DocumentShape?
}

private struct ProbeDecoder: Decoder {
    let probe: ShapeProbe
    let name: String
    let list = ListShape()

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(ProbeFields<Key>(probe: probe, object: name))
    }

    func unkeyedContainer() -> any UnkeyedDecodingContainer { ProbeItems(probe: probe, list: list) }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { throw NotProbed() }
}

private final class ProbeFields<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let probe: ShapeProbe
    let object: String
    /// Keys that were asked for before they were decoded, as optional properties are.
    private var asked: Set<String> = []

    init(probe: ShapeProbe, object: String) {
        self.probe = probe
        self.object = object
    }

    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { [] }

    func contains(_ key: Key) -> Bool {
        asked.insert(key.stringValue)
        return true
    }

    func decodeNil(forKey key: Key) -> Bool { false }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        let (value, shape) = try probe.made(type)
        let field = DocumentField(
            name: FieldName.ofProperty(key.stringValue),
            shape: shape,
            isRequired: !asked.contains(key.stringValue)
        )
        probe.add(field, to: object)
        return value
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type,
        forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> { throw NotProbed() }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        throw NotProbed()
    }

    func superDecoder() throws -> any Decoder { throw NotProbed() }
    func superDecoder(forKey key: Key) throws -> any Decoder { throw NotProbed() }
}

private struct ProbeItems: UnkeyedDecodingContainer {
    let probe: ShapeProbe
    let list: ListShape
    var currentIndex = 0

    var codingPath: [any CodingKey] { [] }
    var count: Int? { 1 }
    var isAtEnd: Bool { currentIndex > 0 }

    mutating func decodeNil() -> Bool { false }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        let (value, shape) = try probe.made(type)
        list.item = shape
        currentIndex += 1
        return value
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> { throw NotProbed() }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        throw NotProbed()
    }

    mutating func superDecoder() throws -> any Decoder { throw NotProbed() }
}

/// Documents of ours are decoded without these.
private struct NotProbed: Error {}
