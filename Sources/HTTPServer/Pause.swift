internal import CMicrohttpd
internal import Synchronization

/// The pauses of a connection whose bytes go to or come from somebody who may have none to give,
/// or no room: a ``StreamedBody`` or a ``RequestBodySink``.
///
///     moving ──► asking ──► called ──► (asks again)
///                  │
///                  ▼
///                paused ──► moving
///
/// Everything happens on the connection's thread of libmicrohttpd, but for the call that ends
/// a pause, and the end: these come from any thread.
struct Pause: ~Copyable, Sendable {
    enum State {
        case moving
        /// The other side is asked, and may call before it has answered.
        case asking
        /// It has called already.
        case called
        /// libmicrohttpd has put the connection aside.
        case paused(SuspendedConnection)
        /// Whoever waits is to give up: the client is gone, or the server stops.
        case cutOff
        /// The request is over; the connection may be gone.
        case over
    }

    /// Guards the state.
    ///
    /// In the lock order where an exchange's phase is, but never with it: libmicrohttpd's own locks are taken under it, by suspend and resume; it calls nothing of
    /// ours under those.
    private let state = Mutex(State.moving)

    /// Begins to ask the other side; false when there is no use in it any more.
    func beginAsking() -> Bool {
        state.withLock { state in
            switch state {
            case .moving, .asking, .called:
                state = .asking
                return true
            case .paused, .cutOff, .over:
                return false
            }
        }
    }

    /// Puts the connection aside until the other side calls; false when it has called already, or
    /// when nobody may wait any more: ask again.
    func pause(_ connection: OpaquePointer, waking wakeup: Wakeup) -> Bool {
        state.withLock { state in
            guard case .asking = state else { return false }
            unsafe MHD_suspend_connection(connection)
            state = unsafe .paused(SuspendedConnection(raw: connection, wakeup: wakeup))
            return true
        }
    }

    /// The other side calls: it is worth asking again.
    ///
    /// On any thread, at any time.
    func end() {
        state.withLock { state in
            switch state {
            case .asking:
                state = .called
            case .paused(let connection):
                state = .moving
                connection.resume()
            case .moving, .called, .cutOff, .over:
                return
            }
        }
    }

    /// Ends the pause and lets no other begin.
    func cutOff() {
        state.withLock { state in
            switch state {
            case .over:
                return
            case .paused(let connection):
                state = .cutOff
                connection.resume()
            case .moving, .asking, .called, .cutOff:
                state = .cutOff
            }
        }
    }

    /// Whether libmicrohttpd has the connection aside.
    var isPaused: Bool {
        state.withLock { if case .paused = $0 { true } else { false } }
    }

    /// Gives up a pause that is under way.
    func cutOffIfPaused() {
        state.withLock { state in
            guard case .paused(let connection) = state else { return }
            state = .cutOff
            connection.resume()
        }
    }

    /// The connection is not touched any more.
    func didEnd() { state.withLock { $0 = .over } }
}

/// A connection libmicrohttpd has put aside.
///
/// Sendable: the pointer stays valid as long as the connection is suspended, and resuming it is
/// what libmicrohttpd lets any thread do.
@safe struct SuspendedConnection: @unchecked Sendable {
    private let raw: OpaquePointer
    /// Of the thread that runs libmicrohttpd, which wakes up only threads of its own.
    private let wakeup: Wakeup

    init(raw: OpaquePointer, wakeup: Wakeup) {
        unsafe self.raw = raw
        self.wakeup = wakeup
    }

    func resume() {
        unsafe MHD_resume_connection(raw)
        wakeup.signal()
    }
}
