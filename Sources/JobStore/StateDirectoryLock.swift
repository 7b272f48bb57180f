internal import Glibc
package import MigrationCore
internal import SystemIO

/// Keeps a second ferryd from the same state directory: an exclusive `flock` of the file `lock` in
/// it, held as long as this value lives, and released by the kernel when the process dies.
package final class StateDirectoryLock: Sendable {
    private let file: FileDescriptor

    /// Takes the lock or throws `store-failed` with the process that has it.
    ///
    /// Never waits.
    package init(directory: String) throws(Problem) {
        let path = "\(directory)/lock"
        do throws(Errno) {
            file = try FileDescriptor(
                opening: path,
                O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY,
                mode: 0o600
            )
        } catch {
            throw Self.problem("\(path) cannot be opened: \(error.name).", "open", error)
        }
        guard flock(file.raw, LOCK_EX | LOCK_NB) == 0 else {
            let error = Errno(number: errno)
            let holder = (try? BoundedFile.text(at: path, limit: 64)) ?? ""
            let who = Int32(holder).map { "Another ferryd, process \($0)," } ?? "Another ferryd"
            throw Self.problem(
                "\(who) has the state directory \(directory): stop it, or give this one another "
                    + "--state-directory.",
                "flock",
                error
            )
        }
        // For the sentence above alone: a lock without its holder's number is as good.
        let text = Array("\(getpid())\n".utf8)
        _ = ftruncate(file.raw, 0)
        try? unsafe text.withUnsafeBytes { try unsafe file.writeAll($0) }
    }

    private static func problem(
        _ sentence: String,
        _ operation: String,
        _ errno: Errno
    ) -> Problem {
        var facts = Problem.Facts()
        facts.operation = operation
        facts.errno = errno
        return Problem(.storeFailed, sentence, facts)
    }
}
