internal import MigrationCore
internal import SystemIO

/// Reads IOMMU groups, each once in a look at the tree.
final class GroupReader {
    private struct Group {
        let kind: String?
        let names: [String]
        /// Read when somebody asks who is not alone in the group, as most are.
        var members: [IsolationFacts.Sibling]?
    }

    private static let directory = "sys/kernel/iommu_groups"
    /// More members than a group has that anybody could use.
    private static let memberLimit = 1024

    private let tree: ConfinedTree
    private var groups: [String: Group] = [:]

    init(_ tree: ConfinedTree) { self.tree = tree }

    /// What a group is, without the device of this name.
    func facts(of number: String, for device: String) -> IsolationFacts {
        var group = groups[number] ?? read(number)
        defer { groups[number] = group }
        guard group.names.contains(where: { $0 != device }) else {
            return IsolationFacts(kind: group.kind, siblings: [])
        }
        let members = group.members ?? members(of: number, group.names)
        group.members = members
        return IsolationFacts(
            kind: group.kind,
            siblings: members.filter { $0.address != device }
        )
    }

    private func read(_ number: String) -> Group {
        guard SysfsPath.isName(number) else { return Group(kind: nil, names: []) }
        let path = "\(Self.directory)/\(number)"
        return Group(
            kind: try? tree.text(at: "\(path)/type", limit: 64),
            names: Array(tree.namesIfAny(in: "\(path)/devices").prefix(Self.memberLimit))
        )
    }

    private func members(of number: String, _ names: [String]) -> [IsolationFacts.Sibling] {
        let path = "\(Self.directory)/\(number)/devices"
        guard let directory = try? tree.directory(at: path) else { return [] }
        return names.compactMap { name in
            guard let target = try? directory.linkTarget(of: name) else { return nil }
            let place = SysfsPath.resolve(target, in: path)
            let driver = tree.linkTargetIfAny("driver", in: place).flatMap(SysfsPath.lastName)
            return IsolationFacts.Sibling(
                address: name,
                driver: driver,
                isBlocking: driver.map(DriverFacts.blocksGroup) ?? false
            )
        }
    }
}
