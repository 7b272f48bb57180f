import Foundation
import Yams

/// openapi/ferry.yaml as JSON, the way openapi/ferry.json has it.
///
/// In the order of the YAML. Each member of the upper four levels starts a line, so that a change
/// is a few lines of a diff and two changes seldom meet.
enum ContractText {
    /// Where both of them lie.
    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("openapi")

    /// The file that ferryd is built with.
    static var committed: Data {
        get throws { try Data(contentsOf: folder.appendingPathComponent("ferry.json")) }
    }

    /// What it must be.
    static func converted() throws -> Data {
        let yaml = try String(
            contentsOf: folder.appendingPathComponent("ferry.yaml"),
            encoding: .utf8
        )
        guard let root = try Yams.compose(yaml: yaml) else { return Data() }
        return Data((json(root, depth: 0) + "\n").utf8)
    }

    static func write(_ text: Data) throws {
        try text.write(to: folder.appendingPathComponent("ferry.json"))
    }

    private static func json(_ node: Node, depth: Int) -> String {
        let end = depth < 4 ? "\n" : ""
        switch node {
        case .mapping(let mapping):
            let members = mapping.map { key, value in
                end + string(key.string ?? "") + ":" + json(value, depth: depth + 1)
            }
            return "{\(members.joined(separator: ","))\(members.isEmpty ? "" : end)}"
        case .sequence(let items):
            return "[\(items.map { json($0, depth: 4) }.joined(separator: ","))]"
        case .scalar(let scalar):
            // What YAML reads as something else than text is written in JSON's way.
            if let flag = node.bool { return "\(flag)" }
            if let number = node.int { return "\(number)" }
            if node.null != nil { return "null" }
            return string(scalar.string)
        case .alias:
            return "null"
        }
    }

    private static func string(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
