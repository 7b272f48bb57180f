internal import SystemIO

/// Reads whose failure means that there is nothing: files of sysfs come and go at any time.
extension ConfinedTree {
    func hasDirectory(at path: String) -> Bool {
        do {
            _ = try directory(at: path)
            return true
        } catch {
            return false
        }
    }

    /// Every link in a directory whose name is wanted, with where it points, in the order of the
    /// names.
    func links(
        in directory: String,
        where isWanted: (String) -> Bool = { _ in true }
    ) -> [(name: String, target: String)] {
        guard let directory = try? self.directory(at: directory),
            let names = try? directory.names()
        else { return [] }
        var links: [(name: String, target: String)] = []
        for name in names where isWanted(name) {
            guard let target = try? directory.linkTarget(of: name) else { continue }
            links.append((name, target))
        }
        return links
    }

    func namesIfAny(in directory: String) -> [String] {
        guard let directory = try? self.directory(at: directory) else { return [] }
        return (try? directory.intoNames()) ?? []
    }

    func linkTargetIfAny(_ name: String, in directory: String) -> String? {
        guard let directory = try? self.directory(at: directory) else { return nil }
        guard SysfsPath.isName(name) else { return nil }
        return try? directory.linkTarget(of: name)
    }

    func textIfAny(_ name: String, in directory: String) -> String? {
        guard SysfsPath.isName(name) else { return nil }
        return try? text(at: "\(directory)/\(name)")
    }
}
