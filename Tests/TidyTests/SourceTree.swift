import SystemIO

/// The files of this repository, found from where this file lies.
enum SourceTree {
    /// The top of the repository.
    static let root: String = {
        let here = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        return here.dropLast(3).joined(separator: "/")
    }()

    /// Everything a person wrote here, as paths from the top, sorted.
    ///
    /// What is built is left out.
    static func files() -> [String] { files(below: "") }

    /// The Swift files below `Sources` and `Tests`.
    static func swiftFiles(below folder: String) throws -> [SwiftFile] {
        try files(below: folder).filter { $0.hasSuffix(".swift") }.map {
            SwiftFile(path: $0, text: SwiftText(try text(of: $0)))
        }
    }

    static func text(of path: String) throws -> String {
        try BoundedFile.text(at: root + "/" + path, limit: 16 << 20)
    }

    /// The names of the folders in a folder.
    static func folders(in path: String) throws -> [String] {
        try BoundedFile.names(in: root + "/" + path).filter {
            (try? BoundedFile.names(in: "\(root)/\(path)/\($0)")) != nil
        }
    }

    /// What cannot be listed is a file; if it is not even that, reading it fails.
    private static func files(below path: String) -> [String] {
        guard let names = try? BoundedFile.names(in: root + "/" + path) else { return [path] }
        var files: [String] = []
        for name in names where name != ".git" && name != ".swiftpm" && !name.hasPrefix(".build") {
            files += self.files(below: path.isEmpty ? name : path + "/" + name)
        }
        return files
    }
}

/// A Swift file of ours.
struct SwiftFile {
    /// From the top of the repository: `Sources/SystemIO/FileDescriptor.swift`.
    let path: String
    let text: SwiftText

    /// The folder below `Sources` or `Tests`: the target's name.
    var target: String {
        let parts = path.split(separator: "/")
        return parts.count > 2 ? String(parts[1]) : ""
    }

    /// `FileDescriptor`.
    var baseName: String {
        String(path.split(separator: "/").last?.split(separator: ".").first ?? "")
    }
}

/// Something a check does not accept, and where.
struct Finding: Hashable, CustomStringConvertible {
    let path: String
    let line: Int
    let what: String

    var description: String { "\(path):\(line): \(what)" }
}
