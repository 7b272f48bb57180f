internal import MigrationCore
internal import SystemIO

/// Writes attributes of one tree, and says which one refused and why.
struct SysfsWriter: Sendable {
    /// Sees to a write; another than the tree's own is for tests that stand in for the kernel.
    typealias Write = @Sendable (_ text: String, _ path: String) throws(Errno) -> Void

    private let write: Write

    init(_ tree: ConfinedTree) {
        self.init { text, path throws(Errno) in try tree.write(text, to: path) }
    }

    init(_ write: @escaping Write) { self.write = write }

    /// Writes a text to a file, named from the root.
    ///
    /// Blocks for as long as the kernel needs.
    func set(_ path: String, to text: String) throws(SysfsRefusal) {
        do throws(Errno) {
            try write(text, path)
        } catch {
            throw SysfsRefusal(path: path, errno: error)
        }
    }
}

/// A file of sysfs that did not take what was written to it.
struct SysfsRefusal: Error, Hashable {
    /// From the root, without a leading slash.
    let path: String
    let errno: Errno

    /// `write of /sys/bus/pci/drivers/nvme/bind`.
    var operation: String { "write of /\(path)" }

    /// What it is to whoever asked for the change.
    ///
    /// `undone` tells what became of the steps before it.
    func problem(_ device: DeviceID?, _ meaning: String?, undone: [String]) -> Problem {
        var facts = Problem.Facts()
        facts.device = device
        facts.operation = operation
        facts.errno = errno
        if !undone.isEmpty { facts.reasons = undone }
        let code: Problem.Code =
            switch errno {
            case .access, .perm, .readOnly: .permissionDenied
            default: .kernelRefused
            }
        let sentence = meaning ?? "The kernel refused the \(operation)"
        return Problem(code, "\(sentence) (\(errno.name)).", facts)
    }
}
