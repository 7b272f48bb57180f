internal import CJansson

/// A value of a parsed document.
@safe struct JSONNode {
    /// Keeps every value of the document alive.
    let document: JSONHandle
    private let value: UnsafeMutablePointer<json_t>
    let path: JSONPath
    let unknownFields: JSONReader.UnknownFields

    init(
        document: JSONHandle,
        value: UnsafeMutablePointer<json_t>,
        path: JSONPath,
        unknownFields: JSONReader.UnknownFields
    ) {
        self.document = document
        unsafe self.value = value
        self.path = path
        self.unknownFields = unknownFields
    }

    private var type: json_type { unsafe value.pointee.type }

    var isNull: Bool { type == JSON_NULL }

    func requireObject() throws(JSONProblem) { try require(JSON_OBJECT, "an object") }

    func requireArray() throws(JSONProblem) { try require(JSON_ARRAY, "an array") }

    func string() throws(JSONProblem) -> String {
        try require(JSON_STRING, "a string")
        let text = unsafe UnsafeRawBufferPointer(
            start: json_string_value(value),
            count: json_string_length(value)
        )
        return unsafe String(decoding: text, as: UTF8.self)
    }

    func boolean() throws(JSONProblem) -> Bool {
        if type != JSON_FALSE { try require(JSON_TRUE, "true or false") }
        return type == JSON_TRUE
    }

    func integer<T: FixedWidthInteger>(_: T.Type) throws(JSONProblem) -> T {
        try require(JSON_INTEGER, "an integer")
        let number = unsafe json_integer_value(value)
        guard let integer = T(exactly: number) else {
            throw JSONProblem(
                .numberOutOfRange,
                at: path,
                "the number must be between \(T.min) and \(T.max), not \(number)"
            )
        }
        return integer
    }

    func real() throws(JSONProblem) -> Double {
        if type != JSON_INTEGER { try require(JSON_REAL, "a number") }
        return unsafe json_number_value(value)
    }

    /// How many items an array has; 0 for anything else.
    var itemCount: Int { unsafe json_array_size(value) }

    func item(_ index: Int) -> JSONNode? {
        guard index >= 0, let item = unsafe json_array_get(value, index) else { return nil }
        return unsafe child(item, .item(index, of: path))
    }

    func field(_ name: String) -> JSONNode? {
        var name = name
        let field = name.withUTF8 { utf8 in
            unsafe utf8.withMemoryRebound(to: CChar.self) { key in
                unsafe json_object_getn(value, key.baseAddress, key.count)
            }
        }
        guard let field = unsafe field else { return nil }
        return unsafe child(field, .field(name, of: path))
    }

    /// The names of an object's fields in the document's order.
    var fieldNames: [String] {
        var names: [String] = []
        var iterator = unsafe json_object_iter(value)
        while let current = unsafe iterator {
            let name = unsafe UnsafeRawBufferPointer(
                start: json_object_iter_key(current),
                count: json_object_iter_key_len(current)
            )
            unsafe names.append(String(decoding: name, as: UTF8.self))
            unsafe iterator = json_object_iter_next(value, current)
        }
        return names
    }

    /// A reference of its own to this value.
    var handle: JSONHandle { unsafe JSONHandle(sharing: value) }

    private func child(_ value: UnsafeMutablePointer<json_t>, _ path: JSONPath) -> JSONNode {
        unsafe JSONNode(
            document: document,
            value: value,
            path: path,
            unknownFields: unknownFields
        )
    }

    private func require(_ wanted: json_type, _ description: String) throws(JSONProblem) {
        guard type != wanted else { return }
        throw JSONProblem(.wrongType, at: path, "must be \(description), not \(typeName)")
    }

    private var typeName: String {
        switch type {
        case JSON_OBJECT: "an object"
        case JSON_ARRAY: "an array"
        case JSON_STRING: "a string"
        case JSON_INTEGER: "an integer"
        case JSON_REAL: "a number with a fraction or an exponent"
        case JSON_TRUE: "true"
        case JSON_FALSE: "false"
        default: "null"
        }
    }
}
