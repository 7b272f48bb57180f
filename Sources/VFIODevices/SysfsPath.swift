/// Paths of a sysfs tree, from its root and without a leading slash, handled as text: directories
/// of sysfs that hold links are never links themselves, so `..` may be resolved without looking.
enum SysfsPath {
    /// Where a link in `directory` leads; `..` stops at the root.
    ///
    /// An absolute target starts there.
    static func resolve(_ target: String, in directory: String) -> String {
        var parts = target.hasPrefix("/") ? [] : components(directory)
        for part in components(target) {
            switch part {
            case ".": continue
            case "..": if !parts.isEmpty { parts.removeLast() }
            default: parts.append(part)
            }
        }
        return parts.joined(separator: "/")
    }

    /// Whether a text is the name of something in a directory, and no path.
    static func isName(_ text: String) -> Bool {
        !text.isEmpty && text != "." && text != ".." && !text.utf8.contains(UInt8(ascii: "/"))
    }

    static func components(_ path: String) -> [Substring] { path.split(separator: "/") }

    /// The last component: a driver's name, a group's number.
    static func lastName(_ path: String) -> String? { components(path).last.map(String.init) }

    /// The path without its last `count` components.
    static func parent(_ path: String, _ count: Int = 1) -> String {
        components(path).dropLast(count).joined(separator: "/")
    }
}
