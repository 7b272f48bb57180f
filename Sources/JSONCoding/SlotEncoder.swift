internal import CJansson

/// The `Encoder` of one value: whatever it makes goes to its slot at once.
final class SlotEncoder: Encoder {
    let document: DocumentUnderWay
    let path: JSONPath
    /// How many objects and arrays are around the slot.
    let depth: Int
    private let slot: JSONSlot
    private var placed: JSONHandle?
    /// Whether the value is an object whose keys are data: they are sorted when it is complete,
    /// since a dictionary's own order changes from run to run.
    private var hasOpenKeys = false

    init(document: DocumentUnderWay, slot: JSONSlot, path: JSONPath, depth: Int) {
        self.document = document
        self.slot = slot
        self.path = path
        self.depth = depth
    }

    var codingPath: [any CodingKey] { path.keys }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    /// Encodes a whole value here.
    func write<T: Encodable>(_ value: T) throws(JSONProblem) {
        // Before the recursion, so that a value of any shape cannot exhaust the stack.
        guard depth <= JSONReader.depthLimit else { throw tooDeep }
        do {
            try value.encode(to: self)
        } catch let problem as JSONProblem {
            throw problem
        } catch let EncodingError.invalidValue(_, context) {
            throw JSONProblem(
                .invalidValue,
                at: JSONPath.pointer(of: context.codingPath),
                context.debugDescription
            )
        } catch {
            throw JSONProblem(.invalidValue, at: path, "\(error)")
        }
        if placed == nil { _ = object(hasOpenKeys: false) }
        if hasOpenKeys, let placed { try placed.sortKeys(at: path) }
    }

    func write<T: JSONPrimitive>(_ value: T) throws(JSONProblem) {
        if let number = value.realNumber { document.note(number) }
        place(try value.write(at: path))
    }

    func writeNull() throws(JSONProblem) { place(try unsafe JSONHandle(json_null(), at: path)) }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        let isOpen = FieldName.isOpen(type)
        let object = object(hasOpenKeys: isOpen)
        return KeyedEncodingContainer(
            ObjectEncoding<Key>(encoder: self, object: object, isOpen: isOpen)
        )
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        ArrayEncoding(encoder: self, array: structure(JSON_ARRAY))
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { ValueEncoding(encoder: self) }

    private func object(hasOpenKeys: Bool) -> JSONHandle {
        self.hasOpenKeys = self.hasOpenKeys || hasOpenKeys
        return structure(JSON_OBJECT)
    }

    /// The object or array here: a value may ask for its container more than once.
    private func structure(_ type: json_type) -> JSONHandle {
        if let placed, unsafe placed.pointer.pointee.type == type { return placed }
        if depth >= JSONReader.depthLimit { note(tooDeep) }
        do {
            let made = try unsafe JSONHandle(
                type == JSON_OBJECT ? json_object() : json_array(),
                at: path
            )
            place(made)
            return made
        } catch {
            note(error)
            return unsafe JSONHandle(owning: json_null())
        }
    }

    private func place(_ value: JSONHandle) {
        guard placed == nil else {
            return note(JSONProblem(.invalidValue, at: path, "the value was encoded twice"))
        }
        placed = value
        let result: Int32
        switch slot {
        case .root:
            document.root = value
            result = 0
        case .field(let name, let object): result = object.set(value, forKey: name)
        case .item(let array): result = unsafe json_array_append(array.pointer, value.pointer)
        }
        if result != 0 {
            note(JSONProblem(.invalidValue, at: path, "the field's name cannot be written"))
        }
    }

    private func note(_ problem: JSONProblem) { document.fault = document.fault ?? problem }

    private var tooDeep: JSONProblem {
        JSONProblem(
            .tooDeep,
            at: path,
            "objects and arrays nest deeper than \(JSONReader.depthLimit) levels"
        )
    }
}

/// A value that is no object or array by itself.
struct ValueEncoding: SingleValueEncodingContainer {
    let encoder: SlotEncoder

    var codingPath: [any CodingKey] { encoder.codingPath }

    func encodeNil() throws { try encoder.writeNull() }

    func encode<T: JSONPrimitive>(_ value: T) throws { try encoder.write(value) }

    func encode<T: Encodable>(_ value: T) throws { try encoder.write(value) }
}

extension JSONHandle {
    /// Sets an object's field; -1 when the name is not one jansson takes.
    func set(_ value: JSONHandle, forKey name: String) -> Int32 {
        // A key that our reader would refuse.
        guard !name.holdsNUL else { return -1 }
        var name = name
        return name.withUTF8 { utf8 in
            unsafe utf8.withMemoryRebound(to: CChar.self) { key in
                unsafe json_object_setn(pointer, key.baseAddress, key.count, value.pointer)
            }
        }
    }

    fileprivate func sortKeys(at path: JSONPath) throws(JSONProblem) {
        let node = unsafe JSONNode(
            document: self,
            value: pointer,
            path: path,
            unknownFields: .ignore
        )
        let names = node.fieldNames
        guard names != names.sorted() else { return }
        let fields = names.sorted().compactMap { name in
            node.field(name).map { (name, $0.handle) }
        }
        unsafe json_object_clear(pointer)
        for (name, value) in fields where set(value, forKey: name) != 0 {
            throw JSONProblem(.invalidValue, at: path, "the field's name cannot be written")
        }
    }
}
