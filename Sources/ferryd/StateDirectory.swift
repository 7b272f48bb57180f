import Glibc
import MigrationCore

/// The one directory the daemon writes to.
enum StateDirectory {
    /// Makes the directory, for us alone, unless it is there; its parent must exist.
    static func make(_ path: String) throws(Problem) {
        guard unsafe mkdir(path, 0o700) != 0 else { return }
        let error = Errno(number: errno)
        guard error != .exists else { return }
        var facts = Problem.Facts()
        facts.operation = "mkdir"
        facts.errno = error
        throw Problem(
            .storageFailed,
            "The state directory \(path) cannot be made: \(error.name).",
            facts
        )
    }
}
