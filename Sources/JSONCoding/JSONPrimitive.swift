internal import CJansson
internal import Glibc

/// A type that is one JSON string, number or boolean.
protocol JSONPrimitive: Codable {
    static func read(_ node: JSONNode) throws(JSONProblem) -> Self

    /// The value as jansson holds it.
    func write(at path: JSONPath) throws(JSONProblem) -> JSONHandle

    /// The number it is when that may have many digits.
    var realNumber: Double? { get }
}

extension JSONPrimitive {
    var realNumber: Double? { nil }
}

extension JSONPrimitive where Self: FixedWidthInteger {
    static func read(_ node: JSONNode) throws(JSONProblem) -> Self { try node.integer(Self.self) }

    func write(at path: JSONPath) throws(JSONProblem) -> JSONHandle {
        guard let number = Int64(exactly: self) else {
            throw JSONProblem(
                .numberOutOfRange,
                at: path,
                "\(self) is more than JSON integers hold here"
            )
        }
        return try unsafe JSONHandle(json_integer(json_int_t(number)), at: path)
    }
}

extension Int: JSONPrimitive {}
extension Int8: JSONPrimitive {}
extension Int16: JSONPrimitive {}
extension Int32: JSONPrimitive {}
extension Int64: JSONPrimitive {}
extension UInt: JSONPrimitive {}
extension UInt8: JSONPrimitive {}
extension UInt16: JSONPrimitive {}
extension UInt32: JSONPrimitive {}
extension UInt64: JSONPrimitive {}

extension Bool: JSONPrimitive {
    static func read(_ node: JSONNode) throws(JSONProblem) -> Bool { try node.boolean() }

    func write(at path: JSONPath) throws(JSONProblem) -> JSONHandle {
        try unsafe JSONHandle(self ? json_true() : json_false(), at: path)
    }
}

extension Double: JSONPrimitive {
    var realNumber: Double? { self }

    static func read(_ node: JSONNode) throws(JSONProblem) -> Double { try node.real() }

    func write(at path: JSONPath) throws(JSONProblem) -> JSONHandle {
        guard isFinite else {
            throw JSONProblem(.numberOutOfRange, at: path, "JSON has no number for \(self)")
        }
        return try unsafe JSONHandle(json_real(self), at: path)
    }
}

extension Float: JSONPrimitive {
    var realNumber: Double? { Double(self) }

    static func read(_ node: JSONNode) throws(JSONProblem) -> Float {
        let number = Float(try node.real())
        guard number.isFinite else {
            throw JSONProblem(.numberOutOfRange, at: node.path, "the number is out of range")
        }
        return number
    }

    func write(at path: JSONPath) throws(JSONProblem) -> JSONHandle {
        try Double(self).write(at: path)
    }
}

extension String: JSONPrimitive {
    static func read(_ node: JSONNode) throws(JSONProblem) -> String { try node.string() }

    func write(at path: JSONPath) throws(JSONProblem) -> JSONHandle {
        // What we could not read back we do not write.
        guard !holdsNUL else {
            throw JSONProblem(.invalidValue, at: path, "the string holds a NUL character")
        }
        var text = self
        let value = text.withUTF8 { utf8 in
            unsafe utf8.withMemoryRebound(to: CChar.self) { text in
                guard let start = text.baseAddress else { return unsafe json_string("") }
                return unsafe json_stringn(start, text.count)
            }
        }
        return try unsafe JSONHandle(value, at: path)
    }
}

extension String {
    var holdsNUL: Bool {
        unsafe utf8.withContiguousStorageIfAvailable { bytes in
            guard let start = bytes.baseAddress else { return false }
            return unsafe memchr(start, 0, bytes.count) != nil
        } ?? utf8.contains(0)
    }
}
