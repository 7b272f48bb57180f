internal import MigrationCore
internal import SystemIO

/// What the host itself needs a device for: its disks, its network, its console.
///
/// A look at the tree and at `/proc` of the daemon's own mounts: what only another mount namespace
/// has mounted, and pools of disks that the kernel does not link (ZFS, further disks of a btrfs),
/// are not seen.
struct HostUse {
    private static let byteLimit = 4 << 20
    /// Volumes on volumes: deeper ones are not followed.
    private static let depthLimit = 8
    private static let blocks = "sys/class/block"

    private let tree: ConfinedTree

    init(_ tree: ConfinedTree) { self.tree = tree }

    /// Why the host needs the device in this directory, a sentence each; empty when it does not.
    func reasons(_ directory: String) -> [String] {
        disks(directory) + interfaces(directory) + consoles(directory)
    }

    // MARK: Disks

    private func disks(_ directory: String) -> [String] {
        var reasons: [String] = []
        for use in mounts() + swaps() where reasons.count < 16 {
            guard let block = blockDirectory(use.block),
                let disk = disk(block, on: directory, Self.depthLimit)
            else { continue }
            let reason = "\(use.what) is on its disk \(disk)."
            if !reasons.contains(reason) { reasons.append(reason) }
        }
        return reasons
    }

    private enum Block {
        /// `259:1`.
        case number(Substring)
        /// `nvme0n1p1`.
        case name(String)
    }

    /// Lines of mountinfo: `36 35 98:0 /root /mountpoint opts - type source superopts`.
    private func mounts() -> [(what: String, block: Block)] {
        lines("proc/self/mountinfo").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count > 4 else { return nil }
            let what = "The file system at \(words[4])"
            if !words[2].hasPrefix("0:") { return (what, .number(words[2])) }
            // File systems over several disks have a number of no disk, and name one of them.
            guard let dash = words.firstIndex(of: "-"), words.count > dash + 2,
                words[dash + 2].hasPrefix("/dev/"),
                let name = SysfsPath.lastName(String(words[dash + 2]))
            else { return nil }
            return (what, .name(name))
        }
    }

    private func swaps() -> [(what: String, block: Block)] {
        lines("proc/swaps").compactMap { line in
            guard line.hasPrefix("/dev/"), let path = line.split(whereSeparator: isSpace).first,
                let name = SysfsPath.lastName(String(path))
            else { return nil }
            return ("Swap space", .name(name))
        }
    }

    private func blockDirectory(_ block: Block) -> String? {
        let place =
            switch block {
            case .number(let number): ("sys/dev/block", String(number))
            case .name(let name): (Self.blocks, name)
            }
        return tree.linkTargetIfAny(place.1, in: place.0)
            .map { SysfsPath.resolve($0, in: place.0) }
    }

    /// The disk below the device that a block device is on, itself or by the volumes under it.
    private func disk(_ block: String, on directory: String, _ depth: Int) -> String? {
        if block.hasPrefix(directory + "/") { return SysfsPath.lastName(block) }
        guard depth > 0 else { return nil }
        return below(block).lazy.compactMap { disk($0, on: directory, depth - 1) }.first
    }

    /// What a virtual block device is made of.
    private func below(_ block: String) -> [String] {
        let slaves = "\(block)/slaves"
        var parts = tree.links(in: slaves).map { SysfsPath.resolve($0.target, in: slaves) }
        if parts.isEmpty, block.contains("/virtual/"),
            tree.textIfAny("partition", in: block) != nil
        {
            parts.append(SysfsPath.parent(block))
        }
        // A namespace that several controllers lead to sits at none of them.
        if block.contains("/virtual/nvme-subsystem/") {
            var subsystem = block
            while !SysfsPath.lastName(subsystem, hasPrefix: "nvme-subsys"), !subsystem.isEmpty {
                subsystem = SysfsPath.parent(subsystem)
            }
            parts += tree.links(in: subsystem).filter { $0.name.hasPrefix("nvme") }
                .map { SysfsPath.resolve($0.target, in: subsystem) }
        }
        return parts
    }

    // MARK: Network and console

    private func interfaces(_ directory: String) -> [String] {
        let nets = "sys/class/net"
        return tree.links(in: nets).compactMap { link in
            let path = SysfsPath.resolve(link.target, in: nets)
            guard path.hasPrefix(directory + "/"), isUp(path) else { return nil }
            return "Its network interface \(link.name) is up."
        }
    }

    /// Whether the interface has IFF_UP.
    private func isUp(_ interface: String) -> Bool {
        guard let text = tree.textIfAny("flags", in: interface), text.hasPrefix("0x"),
            let flags = UInt32(text.dropFirst(2), radix: 16)
        else { return false }
        return flags & 1 != 0
    }

    private func consoles(_ directory: String) -> [String] {
        var reasons: [String] = []
        if tree.textIfAny("boot_vga", in: directory) == "1" {
            reasons.append("It is the graphics card of the host's console.")
        }
        let ttys = "sys/class/tty"
        let active = tree.textIfAny("active", in: "\(ttys)/console") ?? ""
        for name in active.split(separator: " ").map(String.init) {
            guard let target = tree.linkTargetIfAny(name, in: ttys) else { continue }
            if SysfsPath.resolve(target, in: ttys).hasPrefix(directory + "/") {
                reasons.append("The host's console \(name) is on it.")
            }
        }
        return reasons
    }

    private func lines(_ path: String) -> [Substring] {
        guard let text = try? tree.wholeText(at: path, limit: Self.byteLimit) else { return [] }
        return text.split(separator: "\n")
    }

    private func isSpace(_ character: Character) -> Bool { character == " " || character == "\t" }
}

extension SysfsPath {
    fileprivate static func lastName(_ path: String, hasPrefix prefix: String) -> Bool {
        lastName(path)?.hasPrefix(prefix) ?? false
    }
}
