internal import SystemIO

/// Reads whose failure means that there is nothing: files of sysfs come and go at any time.
extension ConfinedTree {
    func namesIfAny(in directory: String) -> [String] {
        guard let directory = try? self.directory(at: directory) else { return [] }
        return (try? directory.names()) ?? []
    }

    func linkTargetIfAny(_ name: String, in directory: String) -> String? {
        guard let directory = try? self.directory(at: directory) else { return nil }
        guard SysfsPath.isName(name) else { return nil }
        return try? directory.linkTarget(of: name)
    }

    func textIfAny(_ name: String, in directory: String) -> String? {
        guard let directory = try? self.directory(at: directory) else { return nil }
        guard SysfsPath.isName(name) else { return nil }
        return try? directory.text(of: name)
    }
}
