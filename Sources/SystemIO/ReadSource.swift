package import Dispatch

/// Calls a handler whenever a descriptor can be read, and keeps it open as long as it looks.
///
/// Begins at rest: ``resume()`` starts it. Every ``suspend()`` must be followed by a resume, also
/// after a cancel, for Dispatch does not let a source go while it is suspended.
// Dispatch sources may be used from any thread; the reference never changes.
package final class ReadSource: @unchecked Sendable {
    private let source: any DispatchSourceRead

    package init(
        _ file: SharedDescriptor,
        on queue: DispatchQueue,
        _ handler: @escaping @Sendable () -> Void
    ) {
        source = DispatchSource.makeReadSource(fileDescriptor: file.descriptor.raw, queue: queue)
        source.setEventHandler(handler: handler)
        source.setCancelHandler { withExtendedLifetime(file) {} }
    }

    package func resume() { source.resume() }
    package func suspend() { source.suspend() }
    package func cancel() { source.cancel() }
}
