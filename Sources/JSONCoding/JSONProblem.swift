/// What is wrong with a document, or with a value that should become one.
package struct JSONProblem: Error, Hashable, Sendable {
    package enum Kind: String, CaseIterable, Hashable, Sendable {
        case malformed
        case duplicateKey
        case tooDeep
        case notUTF8
        case unknownField
        case missingField
        case wrongType
        case invalidValue
        case numberOutOfRange
    }

    /// A place in the bytes of a document.
    package struct Position: Hashable, Sendable, CustomStringConvertible {
        /// From 1.
        package let line: Int
        /// In characters, from 1.
        package let column: Int
        /// From 0.
        package let byteOffset: Int

        package init(line: Int, column: Int, byteOffset: Int) {
            self.line = line
            self.column = column
            self.byteOffset = byteOffset
        }

        package var description: String { "line \(line), column \(column)" }
    }

    package let kind: Kind
    /// The value at fault, by RFC 6901; the empty string is the whole document.
    package let pointer: String
    /// One sentence for a person, without capital and period; it names the position, if any.
    package let detail: String
    /// Where reading stopped, for a text that is not JSON as we accept it.
    package let position: Position?

    package init(_ kind: Kind, at pointer: String, _ detail: String, position: Position? = nil) {
        self.kind = kind
        self.pointer = pointer
        self.detail = detail
        self.position = position
    }

    init(_ kind: Kind, at path: JSONPath, _ detail: String) {
        self.init(kind, at: path.pointer, detail)
    }
}
