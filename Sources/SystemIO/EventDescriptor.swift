internal import CSystem
package import Dispatch
internal import Glibc
package import MigrationCore

/// An eventfd the kernel signals, and a handler that runs on a queue for it.
package final class EventDescriptor: Sendable {
    private let shared: SharedDescriptor
    // A dispatch source may be cancelled from any thread, and cancelling is all that is done to it
    // after it was set up.
    private nonisolated(unsafe) let source: any DispatchSourceRead

    /// The handler runs once for one or more signals that came close together.
    package init(
        on queue: DispatchQueue,
        _ handler: @escaping @Sendable () -> Void
    ) throws(Errno) {
        let shared = SharedDescriptor(FileDescriptor(owning: try checked(ferry_event())))
        self.shared = shared
        let source = DispatchSource.makeReadSource(
            fileDescriptor: shared.descriptor.raw,
            queue: queue
        )
        source.setEventHandler {
            if Self.drain(shared) { handler() }
        }
        // The descriptor must outlive the source's last look at it.
        source.setCancelHandler { withExtendedLifetime(shared) {} }
        unsafe self.source = source
        source.resume()
    }

    deinit { unsafe source.cancel() }

    /// The number, for handing it to the kernel while this object lives.
    package var raw: Int32 { shared.descriptor.raw }

    /// Signals it, as the kernel does.
    package func signal() throws(Errno) {
        var one: UInt64 = 1
        _ = try unsafe withUnsafeBytes(of: &one) { bytes throws(Errno) in
            try unsafe shared.descriptor.write(bytes)
        }
    }

    /// No handler begins after this returned and the queue was idle once.
    package func cancel() { unsafe source.cancel() }

    private static func drain(_ shared: SharedDescriptor) -> Bool {
        var count: UInt64 = 0
        let byteCount = try? unsafe withUnsafeMutableBytes(of: &count) { bytes throws(Errno) in
            try unsafe shared.descriptor.read(into: bytes)
        }
        return byteCount == 8
    }
}
