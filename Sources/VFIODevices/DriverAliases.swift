internal import Glibc
internal import SystemIO

/// Which of the kernel's VFIO drivers fit a PCI function, by `modules.alias`.
///
/// Its lines for VFIO (`alias vfio_pci:v000015B3d… mlx5_vfio_pci`) match only where a driver
/// override names the driver, so nothing is bound by them alone.
struct DriverAliases: Sendable {
    private struct Alias {
        let pattern: String
        let driver: String
    }

    /// The generic driver, which fits every function.
    static let generic = "vfio-pci"
    private static let prefix = "vfio_pci:"
    private static let byteLimit = 64 << 20
    private let aliases: [Alias]

    /// The aliases of a text of `modules.alias`.
    init(_ text: [UInt8]) {
        var aliases: [Alias] = []
        let wanted = Array("alias \(Self.prefix)".utf8)
        for line in text.split(separator: UInt8(ascii: "\n")) where line.starts(with: wanted) {
            let words = String(decoding: line, as: UTF8.self).split(separator: " ")
            guard words.count == 3 else { continue }
            let alias = Alias(
                pattern: String(words[1].dropFirst(Self.prefix.count)),
                driver: Self.driverName(words[2])
            )
            if alias.driver != Self.generic { aliases.append(alias) }
        }
        self.aliases = aliases
    }

    /// The aliases of the kernel whose modules are below this root, in the only or the running
    /// kernel's directory.
    init(root: String) {
        let modules = root == "/" ? "/lib/modules" : "\(root)/lib/modules"
        let releases = (try? BoundedFile.names(in: modules)) ?? []
        let running = Self.runningRelease()
        let isRunning = root == "/" && releases.contains(running)
        // Of several there is no telling, and another kernel's drivers are not this one's.
        let release =
            isRunning ? running : releases.count == 1 && root != "/" ? releases.first : nil
        let path = release.map { "\(modules)/\($0)/modules.alias" }
        self.init(path.flatMap { try? BoundedFile.bytes(at: $0, limit: Self.byteLimit) } ?? [])
    }

    /// The variant driver that fits a function best; nil when only the generic one does.
    ///
    /// `modalias` is the function's own (`pci:v…`). The pattern that leaves least open wins, as in
    /// the kernel's own order of ids.
    func variant(for modalias: String) -> String? {
        guard modalias.hasPrefix("pci:") else { return nil }
        let name = String(modalias.dropFirst("pci:".count))
        let fitting = aliases.filter { unsafe fnmatch($0.pattern, name, 0) == 0 }
        return fitting.min { Self.openness($0.pattern) < Self.openness($1.pattern) }?.driver
    }

    private static func openness(_ pattern: String) -> Int { pattern.count { $0 == "*" } }

    /// Modules are named with `_`, drivers as their authors liked: all variants have `_`, the
    /// generic one has `-`.
    private static func driverName(_ module: Substring) -> String {
        module == "vfio_pci" ? generic : String(module)
    }

    private static func runningRelease() -> String {
        var names = utsname()
        guard unsafe uname(&names) == 0 else { return "" }
        return unsafe withUnsafeBytes(of: &names.release) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
