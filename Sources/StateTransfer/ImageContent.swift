package import MigrationCore
internal import Synchronization
package import SystemIO

/// The file that takes one member's stream.
///
/// It counts and does not digest: the record holds the digest of what was read of the device, and
/// every use of the image verifies the whole file against it.
package final class ImageContent: ByteSink {
    private struct State {
        var accepted: UInt64 = 0
        /// Bytes that survive the machine, once some do.
        var synchronized: UInt64?
        var failure: Errno?
    }

    private let file: FileDescriptor
    /// Guards the counts.
    ///
    /// Innermost.
    private let state = Mutex(State())

    package init(_ file: consuming FileDescriptor) { self.file = file }

    package func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var rest = unsafe bytes
        while unsafe !rest.isEmpty {
            let count = try unsafe file.write(rest)
            guard count > 0 else { throw .io }
            state.withLock { $0.accepted += UInt64(count) }
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    package var acceptedByteCount: UInt64 { state.withLock { $0.accepted } }

    package func acceptedDigest() -> String? { nil }

    /// Makes what was accepted survive the machine, unless it does already.
    ///
    /// What failed once fails from then on: the kernel lets go of pages it could not write, and
    /// the next fsync would know nothing of them.
    func synchronize() throws(Errno) {
        let state = state.withLock { $0 }
        if let failure = state.failure { throw failure }
        if state.synchronized == state.accepted { return }
        do throws(Errno) {
            try file.synchronize()
        } catch {
            self.state.withLock { $0.failure = error }
            throw error
        }
        self.state.withLock { $0.synchronized = state.accepted }
    }
}
