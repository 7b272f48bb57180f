internal import GRDB
package import MigrationCore

/// What went wrong in the store, in a sentence that says what to do about it.
package enum StoreProblem {
    /// The `store-failed` of an error of GRDB, SQLite or the file system.
    ///
    /// A ``Problem`` stays itself.
    package static func make(
        _ error: any Error,
        during operation: String,
        of path: String
    ) -> Problem {
        switch error {
        case let problem as Problem: return problem
        case let errno as Errno:
            return problem("The store \(path) cannot be opened: \(errno.name).", "open", errno)
        case let error as DatabaseError:
            let (errno, sentence) = explanation(of: error, path)
            var problem = problem(sentence, operation, errno)
            problem.facts.reasons = [text(of: error)]
            return problem
        default: return problem("The store \(path) failed: \(error).", operation, nil)
        }
    }

    /// The store is gone and its log is not, so it was not the first start.
    static func missing(_ path: String) -> Problem {
        problem(
            "The store \(path) is missing and its log \(path)-wal is there: put the store back, or move "
                + "the log away too to start empty (jobs and sessions are then forgotten).",
            "open",
            .noEntry
        )
    }

    private static func problem(
        _ sentence: String,
        _ operation: String,
        _ errno: Errno?
    ) -> Problem {
        var facts = Problem.Facts()
        facts.operation = operation
        facts.errno = errno
        return Problem(.storeFailed, sentence, facts)
    }

    private static func explanation(
        of error: DatabaseError,
        _ path: String
    ) -> (Errno?, String) {
        switch error.resultCode {
        case .SQLITE_FULL:
            (.noSpace, "The disk of \(path) is full: free space and try again.")
        case .SQLITE_IOERR:
            (.io, "The disk failed under \(path): see the kernel's log, then start ferryd again.")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            (
                nil,
                "The file \(path) is damaged or no store of ferryd's: put a copy back, or move it and "
                    + "the files beside it with its name away to start empty (jobs and sessions are "
                    + "then forgotten)."
            )
        case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
            (
                .readOnly,
                "The store \(path) cannot be written: check the owner and mode of its directory."
            )
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            (.busy, "Another program has locked \(path): close it and try again.")
        case .SQLITE_CANTOPEN:
            (
                nil,
                "The store \(path) cannot be opened: check that its directory is there and writable."
            )
        case .SQLITE_NOMEM: (.noMemory, "There is no memory for the store \(path).")
        default: (nil, "The store \(path) failed: \(error.message ?? text(of: error)).")
        }
    }

    private static func text(of error: DatabaseError) -> String {
        let code = error.extendedResultCode.rawValue
        return "SQLite error \(code)" + (error.message.map { ": \($0)" } ?? "")
    }
}
