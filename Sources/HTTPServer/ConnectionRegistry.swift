internal import Synchronization

/// The connections that are open.
final class ConnectionRegistry: Sendable {
    private struct State {
        var lastNumber: UInt64 = 0
        var connections: [UInt64: ClientConnection] = [:]
    }

    /// Tells which clients have hung up.
    let hangups: HangupWatch
    /// Guards the set, and with it that a descriptor is not closed while it is cut off.
    ///
    /// Taken before a connection's lock, and before an exchange's.
    private let state = Mutex(State())

    init(hangups: HangupWatch) { self.hangups = hangups }

    /// A connection that has just begun.
    func insert(_ descriptor: Int32, headTimeout: Duration) -> ClientConnection {
        state.withLock { state in
            state.lastNumber += 1
            let connection = ClientConnection(
                descriptor: descriptor,
                number: state.lastNumber,
                hangups: hangups,
                headTimeout: headTimeout
            )
            state.connections[connection.number] = connection
            return connection
        }
    }

    func remove(_ connection: ClientConnection) {
        state.withLock { _ = $0.connections.removeValue(forKey: connection.number) }
        connection.unwatch()
    }

    var all: [ClientConnection] { state.withLock { Array($0.connections.values) } }

    /// Ends every connection whose time is over.
    func cutOffLate() {
        let now = MonotonicTime.now
        state.withLock { state in
            for connection in state.connections.values { connection.cutOff(at: now) }
        }
    }

    /// Lets go of the requests of clients that have hung up.
    func releaseAbandoned() {
        for number in hangups.take() {
            state.withLock { $0.connections[number] }?.didHangUp()
        }
    }
}
