internal import Synchronization

/// The connections that are open.
final class ConnectionRegistry: Sendable {
    struct State {
        var lastNumber: UInt64 = 0
        var connections: [UInt64: ClientConnection] = [:]
        /// Those that have not sent a whole head yet.
        var unproven: [UInt64: ClientConnection] = [:]
        /// No unproven one has a lower number.
        var oldestUnproven: UInt64 = 1
    }

    /// Tells which clients have hung up.
    let hangups: HangupWatch
    /// Guards the set, and with it that a descriptor is not closed while it is cut off.
    ///
    /// Taken before a connection's lock, and before an exchange's.
    private let state = Mutex(State())

    init(hangups: HangupWatch) { self.hangups = hangups }

    /// A connection that has just begun.
    func insert(
        _ descriptor: Int32,
        _ wakeup: Wakeup,
        headTimeout: Duration
    ) -> ClientConnection {
        state.withLock { state in
            state.lastNumber += 1
            let connection = ClientConnection(
                descriptor: descriptor,
                number: state.lastNumber,
                wakeup: wakeup,
                hangups: hangups,
                headTimeout: headTimeout
            )
            state.connections[connection.number] = connection
            state.unproven[connection.number] = connection
            return connection
        }
    }

    func remove(_ connection: ClientConnection) {
        state.withLock { state in
            state.connections[connection.number] = nil
            state.unproven[connection.number] = nil
        }
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

    /// Ends every connection of a thread whose body cannot be read on, after it was told so.
    ///
    /// Called by that thread, when it has read what can be read.
    func cutOffStuck(of wakeup: Wakeup, saying answer: (Exchange) -> [UInt8]) {
        state.withLock { state in
            for connection in state.connections.values where connection.wakeup === wakeup {
                connection.cutOffIfStuck(saying: answer)
            }
        }
    }

    /// Lets go of the requests of clients that have hung up.
    func releaseAbandoned() {
        for number in hangups.take() {
            state.withLock { $0.connections[number]?.didHangUp() }
        }
    }

    func didProve(_ connection: ClientConnection) {
        state.withLock { $0.unproven[connection.number] = nil }
    }

    /// Ends the connection that is missed least, for another: the oldest that has not sent a whole
    /// head yet, or else the one that is idle for longest, if its idle time ends before this.
    ///
    /// False when there is none.
    func makeRoom(idleBefore limit: MonotonicTime) -> Bool {
        state.withLock { state in
            if let oldest = state.takeOldestUnproven() {
                oldest.cutOff()
                return true
            }
            var longest: (deadline: UInt64, connection: ClientConnection)?
            for connection in state.connections.values {
                guard let deadline = connection.idleDeadline,
                    deadline < longest?.deadline ?? limit.nanoseconds
                else { continue }
                longest = (deadline, connection)
            }
            longest?.connection.cutOff()
            return longest != nil
        }
    }
}

extension ConnectionRegistry.State {
    fileprivate mutating func takeOldestUnproven() -> ClientConnection? {
        guard !unproven.isEmpty else { return nil }
        while oldestUnproven <= lastNumber {
            defer { oldestUnproven += 1 }
            if let oldest = unproven.removeValue(forKey: oldestUnproven) { return oldest }
        }
        return nil
    }
}
