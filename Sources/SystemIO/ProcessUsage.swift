internal import Glibc
internal import MigrationCore

/// What this process uses of the machine.
///
/// What `/proc` does not say is nil.
package struct ProcessUsage: Sendable {
    package let residentByteCount: UInt64?
    package let descriptorCount: Int?
    package let descriptorLimit: UInt64?
    /// Of all processors, in user and system mode.
    package let processorSeconds: Double
    /// Since 1970.
    package let startSeconds: Double?

    /// As it is now.
    package static func now() -> Self {
        Self(
            residentByteCount: resident(try? BoundedFile.text(at: "/proc/self/statm")),
            descriptorCount: descriptors(),
            descriptorLimit: limit(try? BoundedFile.text(at: "/proc/self/limits")),
            processorSeconds: seconds(of: CLOCK_PROCESS_CPUTIME_ID),
            startSeconds: start
        )
    }

    /// Read once, so that it is the same in every answer.
    private static let start: Double? = {
        guard let stat = try? BoundedFile.text(at: "/proc/self/stat"),
            let ticks = startTicks(stat)
        else { return nil }
        let uptime = ticks / Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
        return seconds(of: CLOCK_REALTIME) - seconds(of: CLOCK_BOOTTIME) + uptime
    }()

    /// Without the one that the looking itself has open.
    private static func descriptors() -> Int? {
        (try? BoundedFile.names(in: "/proc/self/fd")).map { $0.count - 1 }
    }

    /// The second number of `statm` is in pages.
    static func resident(_ statm: String?) -> UInt64? {
        guard let fields = statm?.split(separator: " "), fields.count > 1,
            let pages = UInt64(fields[1])
        else { return nil }
        return pages * UInt64(max(1, sysconf(Int32(_SC_PAGESIZE))))
    }

    /// The soft limit; nil too when there is none.
    static func limit(_ limits: String?) -> UInt64? {
        let line = limits?.split(separator: "\n").first { $0.hasPrefix("Max open files") }
        return line?.split(separator: " ").dropFirst(3).first.flatMap { UInt64($0) }
    }

    /// When the process began, in ticks since the machine did: field 22 of `stat`, of which the
    /// second is a name that may hold anything.
    static func startTicks(_ stat: String) -> Double? {
        guard let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        return fields.count > 19 ? Double(fields[19]) : nil
    }

    private static func seconds(of clock: clockid_t) -> Double {
        var time = timespec()
        guard unsafe clock_gettime(clock, &time) == 0 else { return 0 }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
