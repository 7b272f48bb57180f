import MigrationCore
import Testing

/// The state machine of one flag set as the reference gives it, transcribed from its tables and
/// from nothing in Sources.
struct ReferenceMachine: CustomTestStringConvertible, Sendable {
    let flags: MigrationFlags
    /// "R→S, S→R": what drivers implement.
    let driverArcs: String
    /// The matrix, as printed: `▸` one arc, `A▸B` a walk, `·` nothing to do, `✗` EINVAL, `*` a new
    /// descriptor, `!` the end of the stream held.
    let matrix: String

    var testDescription: String { "flags \(flags.rawValue)" }

    static let all = [
        Self(
            flags: .stopCopy,
            driverArcs: "R→S, S→R, S→SC, S→RE, SC→S, RE→S",
            matrix: """
                |from \\ to|R|S|SC|RE|
                |**R**|·|▸|S▸SC*|S▸RE*|
                |**S**|▸|·|▸*|▸*|
                |**SC**|S▸R!|▸!|·|S▸RE*!|
                |**RE**|S▸R!|▸!|S▸SC*!|·|
                """
        ),
        Self(
            flags: [.stopCopy, .p2p],
            driverArcs: "R→Rp, Rp→R, Rp→S, S→Rp, S→SC, S→RE, SC→S, RE→S",
            matrix: """
                |from \\ to|R|Rp|S|SC|RE|
                |**R**|·|▸|Rp▸S|Rp▸S▸SC*|Rp▸S▸RE*|
                |**Rp**|▸|·|▸|S▸SC*|S▸RE*|
                |**S**|Rp▸R|▸|·|▸*|▸*|
                |**SC**|S▸Rp▸R!|S▸Rp!|▸!|·|S▸RE*!|
                |**RE**|S▸Rp▸R!|S▸Rp!|▸!|S▸SC*!|·|
                """
        ),
        Self(
            flags: [.stopCopy, .preCopy],
            driverArcs: "R→PC, R→S, PC→R, PC→SC, S→R, S→SC, S→RE, SC→S, RE→S",
            matrix: """
                |from \\ to|R|PC|S|SC|RE|
                |**R**|·|▸*|▸|S▸SC*|S▸RE*|
                |**PC**|▸!|·|R▸S!|▸|R▸S▸RE*!|
                |**S**|▸|R▸PC*|·|▸*|▸*|
                |**SC**|S▸R!|✗|▸!|·|S▸RE*!|
                |**RE**|S▸R!|S▸R▸PC*!|▸!|S▸SC*!|·|
                """
        ),
        Self(
            flags: [.stopCopy, .p2p, .preCopy],
            driverArcs: """
                R→Rp, R→PC, Rp→R, Rp→PCp, Rp→S, PC→R, PC→PCp, PCp→Rp, PCp→PC, PCp→SC, S→Rp, \
                S→SC, S→RE, SC→S, RE→S
                """,
            matrix: """
                |from \\ to|R|Rp|PC|PCp|S|SC|RE|
                |**R**|·|▸|▸*|Rp▸PCp*|Rp▸S|Rp▸S▸SC*|Rp▸S▸RE*|
                |**Rp**|▸|·|R▸PC*|▸*|▸|S▸SC*|S▸RE*|
                |**PC**|▸!|R▸Rp!|·|▸|R▸Rp▸S!|PCp▸SC|R▸Rp▸S▸RE*!|
                |**PCp**|Rp▸R!|▸!|▸|·|Rp▸S!|▸|Rp▸S▸RE*!|
                |**S**|Rp▸R|▸|Rp▸R▸PC*|Rp▸PCp*|·|▸*|▸*|
                |**SC**|S▸Rp▸R!|S▸Rp!|✗|✗|▸!|·|S▸RE*!|
                |**RE**|S▸Rp▸R!|S▸Rp!|S▸Rp▸R▸PC*!|S▸Rp▸PCp*!|▸!|S▸SC*!|·|
                """
        ),
    ]

    static let abbreviations: [String: DeviceState] = [
        "R": .running, "Rp": .runningP2P, "S": .stop, "SC": .stopCopy, "RE": .resuming,
        "PC": .preCopy, "PCp": .preCopyP2P,
    ]

    /// The driver's arcs by the state they leave.
    func graph() throws -> [DeviceState: [DeviceState]] {
        var graph: [DeviceState: [DeviceState]] = [:]
        for arc in driverArcs.split(separator: ", ") {
            let ends = arc.split(separator: "→").map(String.init)
            let from = try #require(Self.abbreviations[ends[0]])
            graph[from, default: []].append(try #require(Self.abbreviations[ends[1]]))
        }
        return graph
    }

    /// One cell of the matrix.
    struct Cell: Equatable {
        let from: DeviceState
        let to: DeviceState
        /// Nil for EINVAL.
        let path: [DeviceState]?
        let opensStream: Bool
        let endsStream: Bool
    }

    func cells() throws -> [Cell] {
        let rows = matrix.split(separator: "\n").map { row in
            row.split(separator: "|").map(String.init)
        }
        let targets = try rows[0].dropFirst().map { try #require(Self.abbreviations[$0]) }
        return try rows.dropFirst().flatMap { row in
            let name = row[0].filter { $0 != "*" }
            let from = try #require(Self.abbreviations[name])
            return try zip(targets, row.dropFirst()).map { to, text in
                try cell(text, from: from, to: to)
            }
        }
    }

    private func cell(_ text: String, from: DeviceState, to: DeviceState) throws -> Cell {
        let walk = text.filter { $0 != "*" && $0 != "!" }
        let path: [DeviceState]? =
            switch walk {
            case "✗": nil
            case "·": []
            case "▸": [to]
            default:
                try walk.split(separator: "▸").map {
                    try #require(Self.abbreviations[String($0)])
                }
            }
        return Cell(
            from: from,
            to: to,
            path: path,
            opensStream: text.contains("*"),
            endsStream: text.contains("!")
        )
    }
}
