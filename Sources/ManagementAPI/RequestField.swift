internal import MigrationCore

/// Checks of single fields of a request; each throws `invalid-field` with the field's pointer.
enum RequestField {
    static func problem(at pointer: String, _ detail: String) -> Problem {
        var problem = Problem(.invalidField, detail)
        problem.facts.pointer = pointer
        return problem
    }

    static func identifier<Kind>(
        _ text: String,
        at pointer: String
    ) throws(Problem) -> Identifier<Kind> {
        guard let identifier = Identifier<Kind>(text) else {
            throw problem(
                at: pointer,
                "A name has 1 to 128 letters, digits, dots, colons, hyphens and underscores."
            )
        }
        return identifier
    }

    /// One of the names of a closed set.
    static func value<Value: RawRepresentable<String> & CaseIterable>(
        _ text: String,
        at pointer: String
    ) throws(Problem) -> Value {
        guard let value = Value(rawValue: text) else {
            let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw problem(at: pointer, "The field must be one of \(names).")
        }
        return value
    }

    static func require(
        _ number: Int64,
        in range: ClosedRange<Int64>,
        at pointer: String
    ) throws(Problem) {
        guard range.contains(number) else {
            throw problem(
                at: pointer,
                "The number must be from \(range.lowerBound) to \(range.upperBound)."
            )
        }
    }

    static func requireCount(
        _ count: Int,
        in range: ClosedRange<Int>,
        at pointer: String
    ) throws(Problem) {
        guard range.contains(count) else {
            throw problem(
                at: pointer,
                "There must be \(range.lowerBound) to \(range.upperBound) of them."
            )
        }
    }
}
