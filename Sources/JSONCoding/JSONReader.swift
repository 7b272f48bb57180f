/// Reads typed values from JSON text.
package enum JSONReader {
    /// Objects and arrays nest no deeper than this.
    package static let depthLimit = 32

    package enum UnknownFields: Hashable, Sendable {
        /// A field the type does not know is a problem: what a client asks for is done or refused.
        case refuse
        case ignore
    }

    /// The value a text holds.
    ///
    /// Property names are looked up in lower snake case (`jobID` reads `job_id`) unless the
    /// coding key itself holds `_`; keys of dictionaries are data and stay as they are. Duplicate
    /// keys, NUL in strings, numbers that do not fit and more after the value are refused.
    package static func decode<T: Decodable>(
        _ type: T.Type,
        from bytes: [UInt8],
        unknownFields: UnknownFields
    ) throws(JSONProblem) -> T {
        let root = try JSONNode(parsing: bytes, unknownFields: unknownFields)
        return try NodeDecoder(node: root).value(type)
    }
}
