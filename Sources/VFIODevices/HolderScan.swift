internal import Glibc
internal import MigrationCore
internal import SystemIO

/// Finds the processes that have device nodes open, by reading /proc.
///
/// Bounded in processes, descriptors, findings and time. What may not be read (other users'
/// processes) is left out: fewer holders, never an error. Descriptors that came from a group
/// (`anon_inode:[vfio-device]`) name no device, so there the group's node is what is found: whoever
/// has that open holds every device of the group. A process that was forked has what its parent had
/// and holds it as well, until it lets go.
struct HolderScan {
    static let holderLimit = 64
    private static let processLimit = 65_536
    private static let descriptorLimit = 65_536
    private static let timeLimitNanoseconds: UInt64 = 2_000_000_000

    private let nodes: [String: FileIdentity]
    private let ownProcess = getpid()

    /// Nodes that do not exist have no holders.
    init(nodes paths: [String]) {
        var nodes: [String: FileIdentity] = [:]
        for path in paths {
            guard let name = SysfsPath.lastName(path) else { continue }
            nodes[name] = try? FileIdentity(ofPath: path)
        }
        self.nodes = nodes
    }

    /// The holders but this process itself, by process number.
    func holders() -> [Problem.Holder] {
        guard !nodes.isEmpty, let names = try? BoundedFile.names(in: "/proc") else { return [] }
        let deadline = SystemClock.monotonicNanoseconds() + Self.timeLimitNanoseconds
        var holders: [Problem.Holder] = []
        for pid in names.lazy.compactMap({ Int32($0) }).sorted().prefix(Self.processLimit) {
            guard holders.count < Self.holderLimit,
                SystemClock.monotonicNanoseconds() < deadline
            else { break }
            if pid != ownProcess, holds(pid) { holders.append(Self.holder(pid)) }
        }
        return holders
    }

    /// Whether this process itself has one of the nodes open.
    func isHeldByOurselves() -> Bool { !nodes.isEmpty && holds(ownProcess) }

    private func holds(_ pid: Int32) -> Bool {
        let directory = "/proc/\(pid)/fd"
        let names = try? BoundedFile.names(in: directory, limit: Self.descriptorLimit)
        return names?.contains { isNode("\(directory)/\($0)") } ?? false
    }

    /// Links are read first: looking at the file itself could wait for a dead network file system.
    private func isNode(_ link: String) -> Bool {
        guard let target = try? BoundedFile.linkTarget(at: link), target.contains("/vfio/") else {
            return false
        }
        // The path is the holder's, perhaps in a container: only its last name and the number of
        // the device behind it are the same everywhere.
        let name = SysfsPath.lastName(target)?.split(separator: " ").first.map(String.init)
        guard let name, let node = nodes[name] else { return false }
        return (try? FileIdentity(ofPath: link)) == node
    }

    private static func holder(_ pid: Int32) -> Problem.Holder {
        Problem.Holder(
            pid: pid,
            command: (try? BoundedFile.text(at: "/proc/\(pid)/comm", limit: 64)) ?? "",
            uid: user(of: pid),
            isDescriptorStore: isDescriptorStore(pid) ? true : nil
        )
    }

    /// Whether it is the system's service manager, or the one that began ferryd.
    static func isDescriptorStore(_ pid: Int32) -> Bool { pid == 1 || pid == getppid() }

    /// The real user, from `Uid:` of the process's status; the overflow user when it is gone.
    private static func user(of pid: Int32) -> UInt32 {
        let status = (try? BoundedFile.text(at: "/proc/\(pid)/status")) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("Uid:") }
        let fields = line?.split { $0 == "\t" || $0 == " " } ?? []
        return fields.count > 1 ? UInt32(fields[1]) ?? 65_534 : 65_534
    }
}
