/// Paths of a sysfs tree, from its root and without a leading slash, handled as text: directories
/// of sysfs that hold links are never links themselves, so `..` may be resolved without looking.
enum SysfsPath {
    /// Where a link in `directory` leads; `..` stops at the root.
    ///
    /// An absolute target starts there.
    static func resolve(_ target: String, in directory: String) -> String {
        var path = target.utf8.first == slash ? "" : directory
        for part in components(target) {
            switch part {
            case ".": continue
            case "..": path = parent(path)
            default:
                if !path.isEmpty { path += "/" }
                path += part
            }
        }
        return path
    }

    private static let slash = UInt8(ascii: "/")

    /// Whether a text is the name of something in a directory, and no path.
    static func isName(_ text: String) -> Bool {
        !text.isEmpty && text != "." && text != ".." && !text.utf8.contains(slash)
    }

    static func components(_ path: String) -> [Substring] {
        path.utf8.split(separator: slash).map(Substring.init)
    }

    /// The last component: a driver's name, a group's number.
    static func lastName(_ path: String) -> String? {
        guard let end = path.utf8.lastIndex(where: { $0 != slash }) else { return nil }
        let start = path.utf8[..<end].lastIndex(of: slash).map(path.utf8.index(after:))
        return String(path[(start ?? path.startIndex)...end])
    }

    /// The path without its last `count` components.
    static func parent(_ path: String, _ count: Int = 1) -> String {
        var path = path[...]
        for _ in 0..<count {
            path = path.utf8.lastIndex(of: slash).map { path[..<$0] } ?? ""
        }
        return String(path)
    }
}
