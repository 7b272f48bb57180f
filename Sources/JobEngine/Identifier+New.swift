internal import MigrationCore

extension Identifier {
    /// A name that nothing has yet: the prefix of its kind and 64 random bits in hexadecimal.
    ///
    /// Throws `internal-error` for a prefix that no name can have.
    static func new(_ prefix: String) throws(Problem) -> Self {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        let padding = String(repeating: "0", count: 16 - digits.count)
        guard let id = Self("\(prefix)-\(padding)\(digits)") else {
            throw Problem(.internalError, "No name can begin with \(prefix).")
        }
        return id
    }
}
