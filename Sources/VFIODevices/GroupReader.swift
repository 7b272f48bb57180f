internal import MigrationCore
internal import SystemIO

/// Reads IOMMU groups, each once in a look at the tree.
final class GroupReader {
    private struct Group {
        let kind: String?
        let members: [IsolationFacts.Sibling]
    }

    private static let directory = "sys/kernel/iommu_groups"
    /// More members than a group has that anybody could use.
    private static let memberLimit = 1024

    private let tree: ConfinedTree
    private var groups: [String: Group] = [:]

    init(_ tree: ConfinedTree) { self.tree = tree }

    /// What a group is, without the device of this name.
    func facts(of number: String, for device: String) -> IsolationFacts {
        let group = groups[number] ?? read(number)
        return IsolationFacts(
            kind: group.kind,
            siblings: group.members.filter { $0.address != device }
        )
    }

    private func read(_ number: String) -> Group {
        let path = "\(Self.directory)/\(number)"
        let members = tree.links(in: "\(path)/devices").prefix(Self.memberLimit).map { link in
            let place = SysfsPath.resolve(link.target, in: "\(path)/devices")
            let driver = tree.linkTargetIfAny("driver", in: place).flatMap(SysfsPath.lastName)
            return IsolationFacts.Sibling(
                address: link.name,
                driver: driver,
                isBlocking: driver.map(DriverFacts.blocksGroup) ?? false
            )
        }
        let group = Group(kind: tree.textIfAny("type", in: path), members: Array(members))
        groups[number] = group
        return group
    }
}
