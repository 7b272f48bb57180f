package import MigrationCore
package import MigrationPorts

/// Where a stream's bytes go: into an image, or into a target device.
package protocol ByteSink: AnyObject, Sendable {
    /// Takes the whole buffer or throws; after a throw the sink is of no further use.
    func write(_ bytes: UnsafeRawBufferPointer) throws(Errno)

    /// Bytes that were really taken, short writes added up.
    var acceptedByteCount: UInt64 { get }

    /// SHA-256 of the bytes that were really taken; nil for a sink whose content is verified
    /// whenever it is read back.
    func acceptedDigest() throws(Problem) -> String?
}

/// The stream of a target device in RESUMING, as a sink.
package final class StreamSink: ByteSink {
    private let stream: any MigrationStream
    private let accepted: Tally

    package init(_ stream: any MigrationStream) throws(Problem) {
        self.stream = stream
        self.accepted = try Tally()
    }

    package func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var rest = unsafe bytes
        while unsafe !rest.isEmpty {
            let count = try unsafe stream.write(rest)
            // A write that takes nothing, or more than there is, would never end or lose bytes.
            guard (1...rest.count).contains(count) else { throw .io }
            unsafe accepted.add(UnsafeRawBufferPointer(rebasing: rest[..<count]))
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    package var acceptedByteCount: UInt64 { accepted.byteCount }

    package func acceptedDigest() throws(Problem) -> String? { try accepted.end().sha256 }
}
