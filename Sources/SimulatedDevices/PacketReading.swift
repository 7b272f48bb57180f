internal import Dispatch
internal import Synchronization
internal import SystemIO

/// The reading of one end of a packet socket, from its begin to its end, which may come first.
final class PacketReading: Sendable {
    private let file: SharedDescriptor
    private let queue: DispatchQueue
    /// Guards the source.
    ///
    /// A leaf.
    private let state = Mutex(State())

    private struct State {
        var source: ReadSource?
        var isEnded = false
    }

    init(_ file: SharedDescriptor, on queue: DispatchQueue) {
        self.file = file
        self.queue = queue
    }

    func begin(_ handler: @escaping @Sendable () -> Void) {
        let source = ReadSource(file, on: queue, handler)
        let isEnded = state.withLock { state in
            if !state.isEnded { state.source = source }
            return state.isEnded
        }
        source.resume()
        if isEnded { source.cancel() }
    }

    /// Reads no more, and shuts the socket down: a call that is under way in this process must not
    /// make the other end wait for it.
    func end() {
        let source = state.withLock { state in
            defer {
                state.source = nil
                state.isEnded = true
            }
            return state.source
        }
        source?.cancel()
        file.descriptor.shutDown()
    }
}
