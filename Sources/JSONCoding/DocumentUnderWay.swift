internal import CJansson

/// What the encoders of one document share.
///
/// Not `Sendable`: it lives within one call of ``JSONWriter/encode(_:)``.
final class DocumentUnderWay {
    var root: JSONHandle?
    /// The first thing that went wrong where `Codable` lets nobody throw.
    var fault: JSONProblem?
    /// Whether a number needs more than 15 digits to be read back the same.
    private var needsFullPrecision = false

    /// Takes note of a number's digits: 0.1 shall not come out as 0.10000000000000001.
    func note(_ number: Double) {
        let digits = number.description.prefix { $0 != "e" }.count { $0.isNumber }
        if digits > 15 { needsFullPrecision = true }
    }

    func text() throws(JSONProblem) -> [UInt8] {
        if let fault { throw fault }
        guard let root else { throw JSONProblem(.invalidValue, at: "", "there is no value") }
        let precision = needsFullPrecision ? 17 : 15
        let flags = Int(JSON_COMPACT | JSON_ENCODE_ANY) | (precision << 11)
        var text: [UInt8] = []
        var size = 1024
        while text.isEmpty {
            let capacity = size
            text = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
                let room = unsafe UnsafeMutableRawBufferPointer(buffer)
                    .assumingMemoryBound(to: CChar.self)
                size = unsafe json_dumpb(root.pointer, room.baseAddress, room.count, flags)
                count = size <= capacity ? size : 0
            }
            guard size > 0 else {
                throw JSONProblem(.invalidValue, at: "", "the value cannot be written")
            }
        }
        return text
    }
}

/// Where a value that is being encoded goes.
enum JSONSlot {
    case root
    case field(String, of: JSONHandle)
    case item(of: JSONHandle)
}

extension JSONHandle {
    /// Takes over what a constructor of jansson's returned.
    convenience init(
        _ value: UnsafeMutablePointer<json_t>?,
        at path: JSONPath
    ) throws(JSONProblem) {
        guard let value = unsafe value else {
            throw JSONProblem(.invalidValue, at: path, "the value cannot be written")
        }
        unsafe self.init(owning: value)
    }
}
