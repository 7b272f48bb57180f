package import MigrationCore
internal import Synchronization

/// The end of a stream: what both sides must agree on before it counts as LOADED.
package struct EndRecord: Hashable, Sendable {
    package let byteCount: UInt64
    /// SHA-256 of the stream, lower case hexadecimal.
    package let sha256: String

    package init(byteCount: UInt64, sha256: String) {
        self.byteCount = byteCount
        self.sha256 = sha256
    }
}

/// Byte count and digest of the bytes that passed one point on their way, in order.
package final class Tally: Sendable {
    private struct State: ~Copyable {
        var byteCount: UInt64 = 0
        var digest: ContentDigest
        /// Why the digest can no longer be told.
        var failure: Problem?
    }

    /// Guards the count and the digest.
    ///
    /// The innermost lock: nothing is called while it is held.
    private let state: Mutex<State>

    package init() throws(Problem) {
        state = Mutex(State(digest: try ContentDigest()))
    }

    package var byteCount: UInt64 { state.withLock { $0.byteCount } }

    /// Counts bytes that passed.
    ///
    /// A digest that fails is told by ``end()``, never forgotten.
    package func add(_ bytes: UnsafeRawBufferPointer) {
        state.withLock { state in
            state.byteCount += UInt64(bytes.count)
            do throws(Problem) {
                try unsafe state.digest.update(bytes)
            } catch {
                state.failure = error
            }
        }
    }

    /// Count and digest of everything so far.
    package func end() throws(Problem) -> EndRecord {
        try state.withLock { state throws(Problem) in
            if let failure = state.failure { throw failure }
            return EndRecord(
                byteCount: state.byteCount,
                sha256: try state.digest.hexadecimal()
            )
        }
    }
}
