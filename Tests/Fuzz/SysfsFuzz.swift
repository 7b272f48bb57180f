import Glibc
import MigrationCore
import SystemIO

@testable import VFIODevices

/// A tree of sysfs, a line an entry: `dir PATH`, `file PATH TEXT`, `link PATH TARGET`.
///
/// Whatever is in it, it is listed, every device has its place, and nothing outside is read.
enum SysfsFuzz {
    private static let entryLimit = 96
    /// What no listing may show: it lies beside the tree.
    private static let secret = "outside-of-the-tree"

    /// Names of hardware are read from a file of the system's, which takes its time.
    private static let hardware = HardwareIndex(places: [])

    static func run(_ input: [UInt8]) {
        guard let tree = try? ScratchTree() else { return }
        tree.leaveOutside(secret)
        for line in input.split(separator: UInt8(ascii: "\n")).prefix(entryLimit) {
            tree.add(line)
        }
        let inventory = try? SysfsInventory(
            root: tree.root,
            deviceDirectory: "/dev",
            hardware: hardware
        )
        guard let inventory else { return }
        let devices = inventory.devices()
        promised(
            devices.map(\.record.id) == devices.map(\.record.id).sorted(),
            "the list is sorted by id"
        )
        promised(
            Set(devices.map(\.record.id)).count == devices.count,
            "no device is listed twice"
        )
        for device in devices {
            promised(SysfsPath.isName(device.kernelName), "a device has a name")
            promised("\(device)".contains(secret) == false, "nothing outside is read")
            _ = inventory.device(device.record.id)
            _ = inventory.siblings(of: device)
            _ = inventory.groupNumber(of: device)
        }
    }
}

/// A directory in memory, gone with its owner.
private final class ScratchTree {
    let root: String
    /// What was made, in that order.
    private var made: [String] = []
    private var links: Set<String> = []

    init() throws {
        let memory = "/dev/shm"
        let place = unsafe access(memory, W_OK) == 0 ? memory : "/tmp"
        let base = "\(place)/ferry-fuzz-\(getpid())"
        root = base + "/tree"
        guard make(base), make(root) else { throw Errno(number: errno) }
        // The directories that a listing begins at.
        for path in ["sys/class/vfio-dev", "sys/class/vfio", "sys/bus/pci/devices"] {
            _ = directories(of: path + "/")
        }
    }

    deinit {
        for path in made.reversed() { _ = unsafe remove(path) }
    }

    func add(_ line: ArraySlice<UInt8>) {
        let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
            .map { String(decoding: $0.filter { $0 != 0 }, as: UTF8.self) }
        guard words.count >= 2, !words[1].split(separator: "/").contains("..") else { return }
        let text = words.count > 2 ? words[2] : ""
        switch words[0] {
        case "dir": _ = directories(of: words[1] + "/")
        case "file": file(words[1], text)
        case "link": link(words[1], text)
        default: break
        }
    }

    /// Beside the tree, where no listing may come.
    func leaveOutside(_ text: String) { write(text, to: "\(root)/../secret") }

    private func file(_ path: String, _ text: String) {
        guard directories(of: path) else { return }
        write(text, to: "\(root)/\(path)")
    }

    private func write(_ text: String, to path: String) {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
        guard let file = try? FileDescriptor(opening: path, flags, mode: 0o600) else { return }
        made.append(path)
        let bytes = Array(text.utf8)
        try? unsafe bytes.withUnsafeBufferPointer { bytes throws(Errno) in
            try unsafe file.writeAll(UnsafeRawBufferPointer(bytes))
        }
    }

    private func link(_ path: String, _ target: String) {
        let path = path.split(separator: "/").joined(separator: "/")
        guard directories(of: path), unsafe symlink(target, "\(root)/\(path)") == 0 else { return }
        made.append("\(root)/\(path)")
        links.insert("\(root)/\(path)")
    }

    /// Makes the directories above a path; false when a link is among them, which may lead out.
    private func directories(of path: String) -> Bool {
        var place = root
        for part in path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        where !part.isEmpty && part != "." {
            place += "/\(part)"
            guard !links.contains(place), make(place) || errno == EEXIST else { return false }
        }
        return true
    }

    private func make(_ path: String) -> Bool {
        guard unsafe mkdir(path, 0o700) == 0 else { return false }
        made.append(path)
        return true
    }
}
