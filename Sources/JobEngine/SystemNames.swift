internal import Glibc
internal import SystemIO

/// What `uname` says of the host.
struct SystemNames: Sendable {
    let hostname: String
    let kernelRelease: String
    let machine: String

    static let current: Self = {
        var names = utsname()
        guard unsafe uname(&names) == 0 else {
            return Self(hostname: "unknown", kernelRelease: "unknown", machine: "unknown")
        }
        return Self(
            hostname: text(names.nodename),
            kernelRelease: text(names.release),
            machine: text(names.machine)
        )
    }()

    /// What the kernel calls this boot of the machine; nil where it does not say.
    static let boot: String? = try? BoundedFile.text(at: "/proc/sys/kernel/random/boot_id")

    private static func text<Characters>(_ characters: Characters) -> String {
        unsafe withUnsafeBytes(of: characters) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
