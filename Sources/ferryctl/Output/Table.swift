/// Rows under aligned headings.
struct Table {
    private let headings: [String]
    private var rows: [[String]] = []

    init(_ headings: String...) { self.headings = headings }

    /// Adds a row; a missing value is a hyphen.
    mutating func add(_ cells: String?...) {
        rows.append(cells.map { cell in cell.map { $0.isEmpty ? "-" : printable($0) } ?? "-" })
    }

    /// Adds a row that goes on with the one above: cells for the last columns only.
    mutating func addContinuation(_ cells: String...) {
        let empty = Array(repeating: "", count: max(0, headings.count - cells.count))
        rows.append(empty + cells.map(printable))
    }

    /// The lines for stdout.
    var text: String { text(on: .standardOutput) }

    /// The lines, the last column without spaces at its end.
    func text(on terminal: Terminal) -> String {
        let all = [headings] + rows
        let widths = headings.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.enumerated().map { line, row in
            let cells = row.enumerated().map { column, cell in
                let spaces =
                    column == row.count - 1
                    ? "" : String(repeating: " ", count: widths[column] - cell.count)
                return style(of: cell, line: line, headings[column])
                    .map { terminal.styled(cell, $0) + spaces } ?? cell + spaces
            }
            return cells.joined(separator: "  ") + "\n"
        }.joined()
    }
}

extension Table {
    /// Headings are bold; words that say how something stands have a colour.
    private func style(of cell: String, line: Int, _ heading: String) -> Terminal.Style? {
        guard line > 0 else { return .bold }
        guard ["STATE", "STATUS", "CONTENT"].contains(heading) else { return nil }
        switch cell {
        case "succeeded", "running", "live", "loaded", "open": return .green
        case "failed", "indeterminate", "lost", "error": return .red
        case "cancelled", "cancelling", "stop", "stop_copy": return .yellow
        default: return nil
        }
    }
}

/// Facts of one thing, a line each, their values aligned.
struct FactList {
    private var facts: [(name: String, value: String)] = []

    /// Adds a fact; one without a value is left out.
    mutating func add(_ name: String, _ value: String?) {
        if let value { facts.append((name, printable(value))) }
    }

    mutating func add(_ name: String, _ values: [String]) {
        if !values.isEmpty { add(name, values.joined(separator: ", ")) }
    }

    func text(indent: String = "") -> String {
        let width = facts.map(\.name.count).max() ?? 0
        return facts.map { name, value in
            indent + name + String(repeating: " ", count: width - name.count + 2) + value + "\n"
        }.joined()
    }
}
