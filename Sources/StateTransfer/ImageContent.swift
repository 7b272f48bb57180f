package import MigrationCore
internal import Synchronization
package import SystemIO

/// The file that takes one member's stream.
///
/// It counts and does not digest: the record holds the digest of what was read of the device, and
/// every use of the image verifies the whole file against it.
package final class ImageContent: ByteSink {
    private let file: FileDescriptor
    /// Guards the count.
    ///
    /// Innermost.
    private let accepted = Mutex<UInt64>(0)

    package init(_ file: consuming FileDescriptor) { self.file = file }

    package func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var rest = unsafe bytes
        while unsafe !rest.isEmpty {
            let count = try unsafe file.write(rest)
            guard count > 0 else { throw .io }
            accepted.withLock { $0 += UInt64(count) }
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    package var acceptedByteCount: UInt64 { accepted.withLock { $0 } }

    package func acceptedDigest() -> String? { nil }

    func synchronize() throws(Errno) { try file.synchronize() }
}
