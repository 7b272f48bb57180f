internal import CJansson

extension JSONNode {
    /// Parses a whole text.
    init(
        parsing bytes: [UInt8],
        unknownFields: JSONReader.UnknownFields
    ) throws(JSONProblem) {
        guard !bytes.isEmpty else {
            throw JSONProblem(
                .malformed,
                at: "",
                "there is no JSON value: the text is empty (line 1, column 1)",
                position: .init(line: 1, column: 1, byteOffset: 0)
            )
        }
        if let offset = JSONOutline.firstOffset(in: bytes, deeperThan: JSONReader.depthLimit) {
            let position = Self.position(of: offset, in: bytes)
            throw JSONProblem(
                .tooDeep,
                at: "",
                "objects and arrays nest deeper than \(JSONReader.depthLimit) levels (\(position))",
                position: position
            )
        }
        var error = json_error_t()
        let flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY
        let value = unsafe bytes.withUnsafeBytes { bytes in
            unsafe json_loadb(bytes.baseAddress, bytes.count, Int(flags), &error)
        }
        guard let value = unsafe value else { throw Self.problem(error, in: bytes) }
        unsafe self.init(
            document: JSONHandle(owning: value),
            value: value,
            path: .root,
            unknownFields: unknownFields
        )
    }

    private static func problem(_ error: json_error_t, in bytes: [UInt8]) -> JSONProblem {
        var error = error
        let code = unsafe json_error_code(&error)
        let position = JSONProblem.Position(
            line: Int(error.line),
            // 0 where jansson stopped before the line's first character.
            column: max(1, Int(error.column)),
            byteOffset: Int(error.position)
        )
        // jansson knows no offset of what it never tokenised.
        let path = JSONOutline.path(in: bytes, upTo: position.byteOffset)
        let text = unsafe withUnsafeBytes(of: &error.text) { text in
            unsafe String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
        }
        let (kind, detail): (JSONProblem.Kind, String) =
            switch code {
            case json_error_duplicate_key: (.duplicateKey, "the field is there twice (\(position))")
            case json_error_invalid_utf8: (.notUTF8, "the text is not UTF-8 (\(position))")
            case json_error_numeric_overflow:
                (.numberOutOfRange, "the number is out of range (\(position))")
            case json_error_null_character, json_error_null_byte_in_key:
                (.invalidValue, "a string holds a NUL character (\(position))")
            default: (.malformed, "\(text) (\(position))")
            }
        return JSONProblem(kind, at: path.pointer, detail, position: position)
    }

    private static func position(of offset: Int, in bytes: [UInt8]) -> JSONProblem.Position {
        let before = bytes[..<offset]
        let newline = UInt8(ascii: "\n")
        let lineStart = before.lastIndex(of: newline).map { $0 + 1 } ?? 0
        let line = before.count { $0 == newline } + 1
        // Bytes that continue a UTF-8 sequence are no characters of their own.
        let column = bytes[lineStart..<offset].count { $0 & 0xC0 != 0x80 } + 1
        return JSONProblem.Position(line: line, column: column, byteOffset: offset)
    }
}
