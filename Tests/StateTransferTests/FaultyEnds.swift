import MigrationCore
import MigrationPorts
import StateTransfer
import Synchronization

/// A stream whose calls return counts that cannot be.
final class LyingStream: MigrationStream {
    private let readCount: Int
    private let writeCount: Int

    init(readCount: Int = 0, writeCount: Int = 0) {
        self.readCount = readCount
        self.writeCount = writeCount
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int { readCount }

    func write(_ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int { writeCount }

    func preCopyInfo() throws(Errno) -> PreCopyInfo { throw .invalid }

    func close() {}
}

/// A sink that counts right and keeps the wrong bytes.
final class ForgetfulSink: ByteSink {
    private let count = Mutex<UInt64>(0)

    func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        count.withLock { $0 += UInt64(bytes.count) }
    }

    var acceptedByteCount: UInt64 { count.withLock { $0 } }

    func acceptedDigest() throws(Problem) -> String? { try Tally().end().sha256 }
}
