internal import Glibc
package import MigrationCore
internal import Synchronization
internal import SystemIO

/// A file that is only ever added to, and tells when each device could act and with what content.
///
/// A JSON object a line, one write(2) each; `Tests/Faults/evidence.py` says what the lines are and
/// proves from them alone that no content ever acted in two devices at once. What is written stays
/// when the process dies; nothing is synchronised to the disk.
package final class EvidenceLog: Sendable {
    private let file: FileDescriptor
    private let onFailure: @Sendable (Errno) -> Void
    /// Guards whether a line was lost; nothing is written after one.
    ///
    /// A leaf.
    private let isBroken = Mutex(false)

    /// Opens a file, or makes it.
    ///
    /// `onFailure` is called once, on any thread, when a line could not be written: the evidence
    /// has ended and proves nothing of what comes.
    package init(
        path: String,
        onFailure: @escaping @Sendable (Errno) -> Void
    ) throws(Errno) {
        file = try FileDescriptor(
            opening: path,
            O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY,
            mode: 0o600
        )
        self.onFailure = onFailure
    }

    /// Says that all devices are new: whatever was open before is gone with its process.
    func hostStarted(at nanoseconds: UInt64) {
        append("{\"at\":\(nanoseconds),\"event\":\"host_started\",\"pid\":\(getpid())}")
    }

    /// Adds a line.
    func append(_ line: String) {
        let isLost = isBroken.withLock { isBroken -> Errno? in
            guard !isBroken else { return nil }
            let lost = write(line + "\n")
            isBroken = lost != nil
            return lost
        }
        if let isLost { onFailure(isLost) }
    }

    private func write(_ line: String) -> Errno? {
        let bytes = Array(line.utf8)
        do throws(Errno) {
            let count = try unsafe bytes.withUnsafeBufferPointer { bytes throws(Errno) in
                try unsafe file.write(UnsafeRawBufferPointer(bytes))
            }
            return count == bytes.count ? nil : .noSpace
        } catch {
            return error
        }
    }
}
