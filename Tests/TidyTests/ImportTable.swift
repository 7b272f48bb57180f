/// Which target may import which: the one home of this table.
///
/// ARCHITECTURE.md shows the same table, and a test compares the two. How it was read out of the
/// design is told in docs/decisions/0001.
enum ImportTable {
    /// Modules of the system that any target but MigrationCore may import.
    static let free: Set<String> = ["Glibc", "Dispatch", "Synchronization"]

    static let rows: [String: Set<String>] = [
        "MigrationCore": [],
        "SystemIO": ["CSystem", "MigrationCore"],
        "MigrationPorts": ["MigrationCore", "SystemIO"],
        "VFIODevices": ["CVFIO", "MigrationCore", "MigrationPorts", "SystemIO"],
        "SimulatedDevices": ["MigrationCore", "MigrationPorts", "SystemIO"],
        "StateTransfer": ["CGnuTLS", "JSONCoding", "MigrationCore", "MigrationPorts", "SystemIO"],
        "JobStore": [
            "Foundation", "GRDB", "JSONCoding", "MigrationCore", "MigrationPorts", "SystemIO",
        ],
        "JobEngine": [
            "CWorkload", "MigrationCore", "MigrationPorts", "StateTransfer", "SystemIO",
        ],
        "JSONCoding": ["CJansson"],
        "APISchema": ["JSONCoding"],
        "ManagementAPI": ["APISchema", "CContract", "JSONCoding", "JobEngine", "MigrationCore"],
        "HTTPServer": ["CMicrohttpd", "ManagementAPI"],
        "APIClient": ["APISchema", "CCurl", "JSONCoding"],
        "ferryctl": [
            "APIClient", "APISchema", "ArgumentParser", "JSONCoding", "MigrationCore", "SystemIO",
        ],
        "ferry-simd": ["ArgumentParser", "MigrationCore", "SimulatedDevices"],
        "ferryd": [
            "ArgumentParser", "HTTPServer", "JSONCoding", "JobEngine", "JobStore", "Logging",
            "ManagementAPI", "MigrationCore", "MigrationPorts", "SimulatedDevices", "StateTransfer",
            "SystemIO", "VFIODevices",
        ],
    ]

    /// The module a line of code imports, if it is an import.
    static func importedModule(_ line: String) -> String? {
        guard line.has("import") else { return nil }
        let words = line.split { $0 == " " || $0 == "\t" }
        guard let at = words.firstIndex(of: "import"),
            words[..<at].allSatisfy({ $0.hasPrefix("@") || accessLevels.contains($0) })
        else { return nil }
        let rest = words[(at + 1)...].drop { declarationKinds.contains($0) }
        return rest.first?.split(separator: ".").first.map(String.init)
    }

    private static let accessLevels: Set<Substring> = [
        "public", "package", "internal", "fileprivate", "private",
    ]
    private static let declarationKinds: Set<Substring> = [
        "struct", "class", "enum", "protocol", "typealias", "func", "let", "var",
    ]

    /// Imports that the table does not allow.
    static func findings(in file: SwiftFile) -> [Finding] {
        guard let allowed = rows[file.target] else {
            return [Finding(path: file.path, line: 1, what: "target is not in the import table")]
        }
        let all = file.target == "MigrationCore" ? allowed : allowed.union(free)
        return file.text.code.enumerated().compactMap { index, line in
            guard let module = importedModule(line), !all.contains(module) else { return nil }
            let what = "\(file.target) may not import \(module)"
            return Finding(path: file.path, line: index + 1, what: what)
        }
    }

    /// The rows of the table in ARCHITECTURE.md: `| Target | purpose | A, B |`.
    static func rows(ofDocument text: String) -> [String: Set<String>] {
        var rows: [String: Set<String>] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|").map { $0.filter { $0 != "`" && $0 != " " } }
            guard cells.count == 3 else { continue }
            let modules = cells[2].split(separator: ",").map(String.init)
            rows[cells[0]] = modules == ["nothing"] ? [] : Set(modules)
        }
        return rows
    }
}
